"""A file of codes that rehabcast does not ship: read, checked as a whole, and written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.declarations import mistakes
from contracts.errors import CohortInvalid, ContractError, Problem
from contracts.naming.formats import KEY, name_of, require_known_form
from contracts.naming.parsing import parsed_toml
from contracts.vocabulary.checks import Entry, faults_of
from contracts.vocabulary.code import Code, Domain, Kind
from contracts.vocabulary.known import Additions

VOCABULARY_FILE = "vocabulary.toml"
"""Its name in a cohort's `metadata/` and in a bundle."""

LARGEST_FILE, MOST_CODES = 1 << 18, 1_000
"""Bytes and codes; whoever has more wants another program."""

ADVICE = "correct it as docs/vocabulary.md describes"


def read_additions(path: Path, name: str | None = None) -> Additions:
    """Read a vocabulary file.

    Parameters
    ----------
    name
        How messages call it; by default by its path.

    Raises
    ------
    ContractError
        It can't be read.
    CohortInvalid
        Everything that is wrong with it, at once.
    """
    name = str(path) if name is None else name
    if path.exists() and not path.is_file():
        raise ContractError(f"{name}: it is no file", "name a TOML file")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ContractError(
            f"{name}: cannot be read ({error.strerror})", "check the path"
        ) from error
    return parse_additions(content, name)


def parse_additions(content: bytes, name: str) -> Additions:
    """Read the bytes of a vocabulary file.

    Raises
    ------
    ContractError
        It is of a later form.
    CohortInvalid
        Everything that is wrong with it, at once.
    """
    if len(content) > LARGEST_FILE:
        raise CohortInvalid([_problem(name, "*", f"it has more than {LARGEST_FILE >> 10} KiB")])
    try:
        # Text editors may begin a file with a byte order mark, which TOML does not know.
        table = parsed_toml(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else type(error).__name__
        raise CohortInvalid([_problem(name, "*", f"it is not valid TOML: {said}")]) from None
    require_known_form(table, "vocabulary", name, ContractError)
    rows = table.get("code")
    problems = [
        _problem(name, str(key)[:40], "it is not a key here", "a vocabulary has [[code]] only")
        for key in table
        if key not in {"code", KEY}
    ]
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise CohortInvalid([*problems, _problem(name, "code", "there is no list of [[code]]")])
    if len(rows) > MOST_CODES:
        raise CohortInvalid([_problem(name, "code", f"there are more than {MOST_CODES} codes")])
    entries: list[Entry] = []
    for number, row in enumerate(rows, start=1):
        problems += _row(row, number, name, entries)
    problems += _twice(entries, name)
    if problems:
        raise CohortInvalid(problems)
    codes = sorted(map(_code, entries), key=lambda entry: entry.code)
    return Additions(name, tuple(codes))


def _row(row: dict[str, Any], number: int, name: str, entries: list[Entry]) -> Iterator[Problem]:
    """Yield what is wrong with an entry; one whose types are right joins the others."""
    code = row.get("code")
    place = f"code {number}" + (f" ({code[:80]!r})" if isinstance(code, str) else "")
    try:
        entry = Entry.model_validate(row)
    except ValidationError as error:
        for mistake in mistakes(error, Entry):
            yield _problem(name, place, mistake)
        return
    entries.append(entry)
    for field, found, advice in faults_of(entry):
        yield _problem(name, f"{place}, {field}", found, advice)


def _twice(entries: list[Entry], name: str) -> Iterator[Problem]:
    """Yield codes, names and codes of FHIR that stand in several entries."""
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        marks = {("code", entry.code), ("name", entry.name.casefold())}
        for kind, mark in sorted(marks | {("fhir", token) for token in entry.fhir}):
            if (kind, mark) in seen:
                yield _problem(name, f"{entry.code[:80]!r}, {kind}", "it stands there twice")
            seen.add((kind, mark))


def _problem(file: str, field: str, found: str, advice: str = ADVICE) -> Problem:
    return Problem(file=file, row=None, field=field, found=found, advice=advice)


def _code(entry: Entry) -> Code:
    return Code(
        code=entry.code, name=entry.name, kind=Kind(entry.kind), modality=entry.modality,
        domain=Domain.NONE if entry.domain is None else Domain(entry.domain), unit=entry.unit,
        low=entry.low, high=entry.high, labels=tuple(entry.labels),
        better="lower" if entry.better == "lower" else "higher", step=entry.step or 0.0,
        source=entry.source, fhir=tuple(entry.fhir),
    )  # fmt: skip


def as_toml(additions: Additions) -> str:
    """Return the text of a vocabulary file; the same codes give the same text."""
    lines = [f"{KEY} = {_value(name_of('vocabulary'))}"]
    for entry in sorted(additions.codes, key=lambda entry: entry.code):
        lines += ["", "[[code]]", *(f"{key} = {_value(value)}" for key, value in _items(entry))]
    return "\n".join(lines) + "\n"


def _items(entry: Code) -> Iterator[tuple[str, Any]]:
    yield from (("code", entry.code), ("name", entry.name), ("kind", str(entry.kind)))
    yield from (("modality", entry.modality), ("domain", str(entry.domain)))
    if entry.is_numeric:
        yield from (("unit", entry.unit), ("low", entry.low), ("high", entry.high))
    if entry.kind is Kind.ASSESSMENT:
        yield from (("better", entry.better), ("step", entry.step))
    if entry.labels:
        yield "labels", entry.labels
    if entry.fhir:
        yield "fhir", entry.fhir
    yield "source", entry.source


def _value(value: object) -> str:
    """Return a value as TOML; its strings are JSON's where they hold no control characters."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)
