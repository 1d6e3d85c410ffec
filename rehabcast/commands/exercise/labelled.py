"""The table of sets whose exercise is known, which a recogniser is fitted and audited with."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from contracts.errors import ContractError
from contracts.exercise.programme import Name

if TYPE_CHECKING:
    from features.importing.import_map import ImportMap
    from training.exercise.fit import LabelledSet

COLUMNS = ("file", "person", "exercise")
RESERVED = ("side", "movement", "right")
"""What an audit says of each set by itself; a side is the map's."""

NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Sets whose exercise is known, and what else is known of their people.

    Parameters
    ----------
    sets
        In the order of the table.
    attributes
        Of each further column the label of each set's person.
    """

    sets: Sequence[LabelledSet]
    attributes: Mapping[str, Sequence[str]]


def read_labelled(table: Path, declared: ImportMap) -> Labelled:
    """Read a table of sets, and the recordings that it names.

    Raises
    ------
    ContractError
        It can't be read, lacks something, or says two things of a person.
    """
    from features.exercise.recordings import read_recording
    from training.exercise.fit import LabelledSet

    advice = f"write a CSV table in UTF-8 with the columns {','.join(COLUMNS)}"
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows, header = list(reader), reader.fieldnames or ()
    except OSError as error:
        raise ContractError(f"{table}: cannot be read ({error.strerror})", advice) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ContractError(f"{table}: it is no table: {error}", advice) from error
    if missing := [name for name in COLUMNS if name not in header]:
        raise ContractError(f"{table}: its first row has no {missing[0]!r} between commas", advice)
    made = []
    attributes = _attributes(rows, table)
    for number, row in enumerate(rows, 2):
        if empty := [name for name in COLUMNS if not (row.get(name) or "").strip()]:
            raise ContractError(f"{table}, row {number}: {empty[0]} is missing", advice)
        require_name(row["exercise"].strip(), f"{table}, row {number}")
        read = read_recording(table.parent / row["file"].strip(), declared)
        longest = max(read.motions, key=lambda each: each.seconds)
        made.append(
            LabelledSet(
                person=row["person"].strip(), side=read.side, exercise=row["exercise"].strip(),
                values_T6=longest.values_T6,
            )
        )  # fmt: skip
    return Labelled(sets=made, attributes=attributes)


def _attributes(rows: Sequence[Mapping[str, str]], table: Path) -> Mapping[str, Sequence[str]]:
    names = [name for name in (rows[0] if rows else ()) if name and name not in COLUMNS]
    if taken := [name for name in names if name in RESERVED]:
        raise ContractError(
            f"{table}: a column {taken[0]!r} is no group of the person",
            "leave it out: sides are those of the map, and the audit compares them by itself",
        )
    found: dict[str, list[str]] = {}
    for name in names:
        said: dict[str, str] = {}
        for number, row in enumerate(rows, 2):
            person, label = (
                (row.get("person") or "").strip(),
                (row.get(name) or "").strip() or NOT_STATED,
            )
            if said.setdefault(person, label) != label:
                raise ContractError(
                    f"{table}, row {number}: {name} of {person!r} is {label!r}, and"
                    f" {said[person]!r} above",
                    "a column beside file, person and exercise is a group of the person: one each",
                )
            found.setdefault(name, []).append(label)
    return found


def require_name(exercise: str, place: str) -> None:
    """Refuse a name that no programme could prescribe."""
    try:
        TypeAdapter(Name).validate_python(exercise)
    except ValidationError as error:
        raise ContractError(
            f"{place}: {exercise[:80]!r} is no name of an exercise",
            "write 1 to 60 characters, without spaces at the ends",
        ) from error
