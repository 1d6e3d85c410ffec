"""Files of sets, JSON or a CSV table with a row a repetition: read without guessing, written."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from contracts.declarations import mistakes
from contracts.errors import CohortInvalid, ContractError, Problem
from contracts.exercise.sets import ExerciseSet, Repetition, SetFile, faults_of
from contracts.naming.formats import KEY, name_of, require_known_form, without_form
from contracts.naming.parsing import parsed_json

FORM = "exercise-sets"
LARGEST_FILE = 64 << 20
"""Bytes; a year of sets has some."""

ADVICE = "write it as docs/exercise-programme.md says, or have the recogniser write it"
NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)

SET = "set"
OF_REPETITION = tuple(field.name for field in fields(Repetition))
OF_SET = tuple(field.name for field in fields(ExerciseSet) if field.name != "repetitions")
COLUMNS = (SET, *OF_SET, *OF_REPETITION)
"""Of the CSV table. A set's rows follow each other under its number, and repeat what is of the set;
one without repetitions is a row without them."""

OPTIONAL = frozenset({"trunk_deg"})
"""Columns that a table may lack."""

NUMBERS = frozenset({*OF_REPETITION, "confidence"})

_FILE = TypeAdapter(SetFile)


def read_sets(path: Path) -> SetFile:
    """Read a file of sets: `.csv`, or else JSON.

    Raises
    ------
    ContractError
        It can't be read, or is of a later form.
    CohortInvalid
        Everything that is wrong with it, each with its place.
    """
    content = _bytes(path)
    is_csv = path.suffix.lower() == ".csv"
    table = _from_csv(content, path) if is_csv else _from_json(content, path)
    try:
        file = _FILE.validate_python(table)
    except ValidationError as error:
        said = mistakes(error, SetFile)
        raise CohortInvalid([_problem(path, "*", found, ADVICE) for found in said]) from error
    if problems := [_problem(path, place, fault, ADVICE) for place, fault in faults_of(file)]:
        raise CohortInvalid(problems)
    return file


def joined(files: Iterable[SetFile]) -> SetFile:
    """Return the sets of several files of one person as one.

    Raises
    ------
    CohortInvalid
        A set stands in two of them.
    """
    files = list(files)
    sets = sorted((each for file in files for each in file.sets), key=lambda each: each.start)
    spans = [file.recorded for file in files]
    known = None if None in spans else [span for each in spans for span in each or ()]
    recorded = None if known is None else tuple(sorted(known, key=lambda each: each.start))
    simulated = any(file.simulated for file in files)
    whole = SetFile(sets=tuple(sets), recorded=recorded, simulated=simulated)
    if problems := [
        Problem(file="*", row=None, field=place, found=fault, advice="name each recording once")
        for place, fault in faults_of(whole)
    ]:
        raise CohortInvalid(problems)
    return whole


def as_json(file: SetFile) -> str:
    """Return a file of sets as JSON; the same sets give the same text."""
    content = {KEY: name_of(FORM), **_FILE.dump_python(file, mode="json")}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(file: SetFile) -> str:
    """Return the sets as a CSV table, which can't say when the sensor recorded.

    Raises
    ------
    ContractError
        Nobody did them: a table can't say that either.
    """
    if file.simulated:
        raise ContractError("these sets are SIMULATED, which a CSV table can't say", "write JSON")
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for number, each in enumerate(_FILE.dump_python(file, mode="json")["sets"], 1):
        of_set = {SET: number, **{name: each[name] for name in OF_SET}}
        table.writerows({**of_set, **one} for one in each["repetitions"] or [{}])
    return text.getvalue()


def write_sets(path: Path, file: SetFile) -> None:
    """Write sets as `.csv`, or else as JSON.

    Raises
    ------
    ValueError
        They cannot be: whoever made them has a fault.
    OSError
        They cannot be written there.
    """
    checked = _FILE.validate_python(_FILE.dump_python(file))
    if faults := [f"{place}: {fault}" for place, fault in faults_of(checked)]:
        raise ValueError("; ".join(faults))
    text = as_csv(file) if path.suffix.lower() == ".csv" else as_json(file)
    path.write_text(text, "utf-8")


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ContractError(
            f"{path}: cannot be read ({error.strerror})", "check the path"
        ) from error
    if len(content) > LARGEST_FILE:
        raise ContractError(f"{path}: it has more than {LARGEST_FILE >> 20} MiB", "split it by day")
    return content


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: it is no text in UTF-8", ADVICE) from error


def _from_json(content: bytes, path: Path) -> Mapping[str, Any]:
    try:
        table = parsed_json(_text(content, path))
    except ValueError as error:
        raise ContractError(f"{path}: it is not valid JSON: {error}", ADVICE) from error
    if not isinstance(table, dict):
        raise ContractError(f"{path}: it is no file of sets", ADVICE)
    require_known_form(table, FORM, str(path), ContractError)
    return without_form(table)


def _from_csv(content: bytes, path: Path) -> Mapping[str, Any]:
    """Return a table as JSON has it; cells that cannot be are refused with their row."""
    reader = csv.DictReader(io.StringIO(_text(content, path), newline=""), strict=True)
    problems: list[Problem] = []
    sets: list[dict[str, Any]] = []
    try:
        header = list(reader.fieldnames or ())
        if problems := _header(header, path):
            raise CohortInvalid(problems)
        before = ""
        for row in reader:
            line = reader.line_num
            if None in row or None in row.values():
                problems.append(_problem(path, "*", "it has too many or too few cells", "", line))
                continue
            cells = {name: _cell(name, row.get(name, ""), path, line, problems)
                     for name in COLUMNS[1:]}  # fmt: skip
            of_set = {name: cells[name] for name in OF_SET}
            if row[SET] != before:
                sets.append({**of_set, "repetitions": []})
                before = row[SET]
            elif any(sets[-1][name] != value for name, value in of_set.items()):
                found = f"it says something else of set {row[SET]} than the row above"
                problems.append(_problem(path, SET, found, ADVICE, line))
            if any(cells[name] is not None for name in OF_REPETITION):
                sets[-1]["repetitions"].append({name: cells[name] for name in OF_REPETITION})
    except csv.Error as error:
        raise ContractError(f"{path}: it is no CSV table: {error}", ADVICE) from error
    if problems:
        raise CohortInvalid(problems)
    return {"sets": sets}


def _header(header: list[str], path: Path) -> list[Problem]:
    wanted, found = set(COLUMNS), set(header)
    lacking = [_problem(path, name, "the column is missing", ADVICE, 1) for name in COLUMNS
               if name not in found | OPTIONAL]  # fmt: skip
    others = [
        _problem(path, name, "it is no column of a table of sets", "leave it out", 1)
        for name in header
        if name not in wanted or header.count(name) > 1
    ]
    return [*lacking, *others]


def _cell(name: str, cell: str, path: Path, line: int, problems: list[Problem]) -> object:
    """Return a cell as JSON has it: None where it is empty, a number, or text."""
    cell = cell.strip()
    if not cell:
        return None
    if name not in NUMBERS:
        return cell
    if NUMBER.fullmatch(cell) is None:
        problems.append(_problem(path, name, f"{cell[:40]!r} is no number", "write 12.5", line))
        return None
    return float(cell)


def _problem(path: Path, field: str, found: str, advice: str, row: int | None = None) -> Problem:
    return Problem(file=str(path), row=row, field=field, found=found, advice=advice)
