"""From a file to the record: choose, answer what it leaves open, look through it, keep it.

Nothing is kept before the last step, and each step has all that it needs from the browser.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from contracts.errors import CohortInvalid, Problem, RehabcastError, ServiceUnavailable
from contracts.naming.units import readable
from features.mapping.findings import MapProposal
from features.mapping.wording import left_out_in_words
from rehabcast.pages.imports.questions import (
    ANSWER,
    LONGEST_ANSWER,
    MAP,
    Asked,
    asked,
    fields_of,
    likely,
    map_of,
    proposal_of,
)
from rehabcast.pages.imports.understood import Person, Understood, require_reader, understood
from serving.http import handlers
from serving.pages.forms import check
from serving.pages.forms.uploads import FILE, LARGEST_FORM, LONGEST_NAME, NAME, unpacked
from serving.pages.page import HOME, Answer, Field, Visit
from serving.pages.rendering import unit_of
from serving.pages.words import code_name

START = f"{HOME}/import"
SEEN = "seen"
"""Digest of what somebody has looked at: nothing else is kept."""

OF_FILE = (
    Field(name=FILE, kind="hidden", longest=LARGEST_FORM, optional=True),
    Field(name=NAME, kind="hidden", longest=LONGEST_NAME, optional=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file that was sent, with what it proves and what it asks."""

    proposal: MapProposal
    questions: Sequence[Asked]
    folder: Path


def start(visit: Visit) -> Answer:
    """Ask for a file."""
    try:
        require_reader()
    except ServiceUnavailable as refusal:
        return _start(refusal)
    return _start()


def look(visit: Visit) -> Answer:
    """Take a file: ask what it leaves open, or show what was understood."""
    return _guarded(visit, {}, lambda opened: (
        _asked(visit, opened, likely(list(opened.questions)))
        if opened.questions else _shown(visit, opened)
    ))  # fmt: skip


def sent_fields(visit: Visit) -> list[Field]:
    """Return the fields that were sent: a file's questions are known once it is read."""
    answers = [name for name in visit.form if name.startswith(ANSWER)]
    hidden = [
        Field(name=name, kind="hidden", longest=LONGEST_ANSWER, optional=True)
        for name in (*answers, SEEN)
    ]
    return [*OF_FILE, *hidden]


def read(visit: Visit) -> Answer:
    """Show what was understood, row by row."""
    return _guarded(visit, visit.form, lambda opened: _shown(visit, opened))


def keep(visit: Visit) -> Answer:
    """Put on record what was looked through, patient by patient, as `POST /v1/observations`."""

    def kept(opened: Opened) -> Answer:
        found = _read(visit, opened)
        if _digest(found) != visit.form[SEEN]:
            return _shown(visit, opened, found, changed=True)
        done = [_kept(visit, person) for person in found.people]
        return Answer(template="import_kept.html", facts={"people": done, "name": visit.form[NAME]})

    return _guarded(visit, visit.form, kept)


def _kept(visit: Visit, person: Person) -> dict[str, Any]:
    """Put a patient's values on record, or say why nothing of theirs was."""
    refusal = person.refusal
    if person.request is not None and refusal is None and person.new:
        try:
            handlers.observe(visit.call(person.request))
        except RehabcastError as error:
            refusal = error
    return {"person": person, "refusal": refusal}


@contextmanager
def _opened(form: Mapping[str, str]) -> Iterator[Opened]:
    require_reader()
    content = unpacked(form.get(FILE, ""))
    with TemporaryDirectory() as folder:
        proposal, _ = proposal_of(content, form.get(NAME, ""), Path(folder))
        yield Opened(proposal=proposal, questions=asked(proposal), folder=Path(folder))


def _guarded(visit: Visit, values: Mapping[str, str], step: Any) -> Answer:
    """Take a step; what cannot be read is told on the page where it can be mended."""
    try:
        with _opened(visit.form) as opened:
            try:
                answer: Answer = step(opened)
                return answer
            except RehabcastError as refusal:
                if not opened.questions:
                    raise
                return _asked(visit, opened, values, refusal)
    except RehabcastError as refusal:
        return _start(refusal, visit.form.get(NAME, ""))


def _start(refusal: RehabcastError | None = None, name: str = "") -> Answer:
    return Answer(
        template="import.html",
        status=200 if refusal is None else 503 if isinstance(refusal, ServiceUnavailable) else 422,
        facts={"refusal": refusal, "problems": _problems(refusal), "name": name, "start": START},
    )  # fmt: skip


def _asked(
    visit: Visit, opened: Opened, values: Mapping[str, str], refusal: RehabcastError | None = None
) -> Answer:
    facts = {
        "fields": [*OF_FILE, *fields_of(list(opened.questions), visit.say)],
        "values": {**values, **_of_file(visit)}, "name": visit.form[NAME], "refusal": refusal,
        "problems": _problems(refusal), "start": START,
    }  # fmt: skip
    return Answer(
        template="import_questions.html", facts=facts, status=200 if refusal is None else 422
    )


def _shown(
    visit: Visit, opened: Opened, found: Understood | None = None, *, changed: bool = False
) -> Answer:
    found = found or _read(visit, opened)
    names = [field.name for field in fields_of(list(opened.questions), visit.say)]
    facts = {
        "found": found, "left_out": _lines(found.left_out), "name": visit.form[NAME],
        "changed": changed, "start": START,
        "hidden": {
            **_of_file(visit), **{name: visit.form.get(name, "") for name in names},
            SEEN: _digest(found),
        },
        "new": sum(person.new for person in found.people if person.refusal is None),
        "called": code_name, "unit": unit_of, "number": readable,
        "left_out_columns": [
            (column.column, left_out_in_words(column))
            for table in opened.proposal.tables for column in table.columns
            if column.left_out is not None
        ],
    }  # fmt: skip
    return Answer(template="import_understood.html", facts=facts, status=409 if changed else 200)


def _read(visit: Visit, opened: Opened) -> Understood:
    fields = fields_of(list(opened.questions), visit.say)
    check({field.name: visit.form.get(field.name, "") for field in fields}, fields)
    column_map = opened.folder / MAP
    column_map.write_text(map_of(opened.proposal, visit.form), "utf-8")
    with TemporaryDirectory() as draft:
        return understood(column_map, Path(draft), visit)


def _of_file(visit: Visit) -> dict[str, str]:
    return {FILE: visit.form[FILE], NAME: visit.form[NAME]}


def _problems(refusal: RehabcastError | None) -> list[str]:
    return _lines(refusal.problems) if isinstance(refusal, CohortInvalid) else []


def _lines(problems: Sequence[Problem]) -> list[str]:
    """Return problems as lines for people, who know no codes."""
    return [str(replace(each, field=code_name(each.field))) for each in problems]


def _digest(found: Understood) -> str:
    """Return the digest of all that would be put on record, and of how it stands beside it."""
    seen = [
        (person.label, msgspec.to_builtins(person.request), person.refusal is None,
         [(str(value.state), value.on_record) for value in person.values])
        for person in found.people
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()
