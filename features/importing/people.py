"""The table of people beside recordings: what a clinic states of each, and who matches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, TEXT, TIME
from contracts.errors import CohortInvalid, ContractError, Problem
from contracts.vocabulary import Code, Kind, vocabulary
from features.importing.import_map import ImportMap
from features.measurements.identity import alike
from features.measurements.people import DECLARED
from features.measurements.records import (
    AMOUNT,
    FILE,
    PLACE,
    SOURCE,
    SUBJECT_LABEL,
    Amount,
    record_table,
    records,
)
from features.sources import table_columns
from features.sources.column_cells import CELL, ColumnCells, Values
from features.tables.cells import written
from features.tables.missing import sums_up
from features.tables.table_files import read_table
from features.tables.text_tables import TableForm

SUBJECT_COLUMN = "subject"
HEIGHT = "height_m"
_HEIGHT_CODE = Code(
    code=HEIGHT, name="height", kind=Kind.PERSON, modality="person", unit="m", low=0.4, high=2.6,
    source="local",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleTable:
    """What the table of people states.

    Parameters
    ----------
    file
        Its name; empty without a table.
    records
        Facts and dates of each person, declared.
    row_of
        Row of each person, by the identifier as it is written.
    heights
        In m, by identifier.
    problems
        What was left out.
    """

    file: str = ""
    records: pd.DataFrame = field(default_factory=lambda: records([]))
    row_of: dict[str, int] = field(default_factory=dict)
    heights: dict[str, float] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_people(import_map: ImportMap, folder: Path) -> PeopleTable:
    """Read the table of people.

    Raises
    ------
    CohortInvalid
        Faults of whole columns, and people with two rows that differ.
    ContractError
        It can't be read, or its columns are not those of a table of people.
    """
    name = import_map.people
    if not name:
        return PeopleTable()
    form = import_map.form_of(name) or TableForm()
    table = read_table(folder / name, name, form, as_written=[SUBJECT_COLUMN])
    _check_columns(table.cells, name)
    columns = [str(column) for column in table.cells.columns if column != SUBJECT_COLUMN]
    cells, problems = _one_row_each(table.cells, name)
    problems = [*table.problems, *problems]
    faults: list[Problem] = []
    heights: dict[str, float] = {}
    tables = [records([])]
    zone = getattr(form, "time_zone", "") or import_map.time_zone
    for title in columns:
        column = ColumnCells(file=name, name=title, cells=cells[title], form=form, has_labels=False)
        entry = _entry(title)
        values = _values(column, entry, zone)
        faults += values.faults
        problems += values.problems
        if title == HEIGHT:
            good = cells[SUBJECT_COLUMN][values.good_N]
            heights = dict(zip(good, values.value_N[values.good_N].tolist(), strict=True))
        else:
            tables.append(_as_records(cells[SUBJECT_COLUMN], values, entry, name))
    if faults:
        raise CohortInvalid(faults)
    plain = {label.strip(): height for label, height in heights.items()}
    return PeopleTable(
        file=name,
        records=pd.concat(tables, ignore_index=True),
        row_of=dict(zip(cells[SUBJECT_COLUMN], cells.index.tolist(), strict=True)),
        heights=plain | heights,
        problems=tuple(problems),
    )


def matched_people(
    people: PeopleTable, recorded: Iterable[str]
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the records of the people who have recordings, and who does not match.

    An identifier matches exactly, or but for blanks around it if nobody else has it.

    Parameters
    ----------
    recorded
        Identifiers of everybody of whom something was recorded.
    """
    if not people.file:
        return people.records, []
    have = set(recorded)
    label_of = {label: label for label in people.row_of if label in have}
    plain: dict[str, list[str]] = {}
    for label in (label for label in people.row_of if label not in label_of):
        plain.setdefault(label.strip(), []).append(label)
    free = {label.strip(): label for label in have - set(label_of)}
    for stripped, labels in plain.items():
        if len(labels) == 1 and stripped in free:
            label_of[labels[0]] = free[stripped]
    matched = people.records[people.records[SUBJECT_LABEL].isin(label_of)]
    matched = matched.assign(**{SUBJECT_LABEL: matched[SUBJECT_LABEL].map(label_of)})
    lone = sorted(have - set(label_of.values()))
    return matched, [
        *_blanks(people, label_of),
        *_without_recording(people, [p for p in people.row_of if p not in label_of], lone),
        *_without_row(people, lone),
    ]


def _check_columns(cells: pd.DataFrame, name: str) -> None:
    titles = [str(column) for column in cells.columns]
    unknown = [t for t in titles if t not in {SUBJECT_COLUMN, HEIGHT} and _code(t) is None]
    if SUBJECT_COLUMN not in titles or unknown:
        found = (
            f"unknown column(s) {', '.join(unknown)}"
            if SUBJECT_COLUMN in titles
            else f"no column {SUBJECT_COLUMN}; found: {', '.join(titles)}"
        )
        raise ContractError(
            f"{name}: {found}",
            "name the columns subject, height_m, or as docs/importing.md lists them",
        )


def _code(title: str) -> str | None:
    shipped = f"REHABCAST//{title.upper()}"
    ends = [code for code in vocabulary() if code.partition("//")[2].casefold() == title.casefold()]
    code = next((code for code in (shipped, title) if code in vocabulary()), None)
    code = ends[0] if code is None and len(ends) == 1 else code
    entry = None if code is None else vocabulary()[code]
    known = entry is not None and (entry.kind is Kind.PERSON or code in {ONSET, ENROLMENT})
    return code if known else None


def _entry(title: str) -> Code:
    return _HEIGHT_CODE if title == HEIGHT else vocabulary()[str(_code(title))]


def _one_row_each(cells: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the rows of people, one each.

    Raises
    ------
    CohortInvalid
        Two rows of one person say different things.
    """
    label = cells[SUBJECT_COLUMN].map(written)
    nobody = (label.str.strip() == "") | sums_up(label)
    column = ColumnCells(file=name, name=SUBJECT_COLUMN, cells=label, form=TableForm())
    problems = column.problems(
        nobody.to_numpy(), f"{CELL} is nobody's identifier, the row was left out",
        "fill in the cell, or remove the row", "rows of nobody",
    )  # fmt: skip
    rows = cells.assign(**{SUBJECT_COLUMN: label})[~nobody].drop_duplicates()
    twice = rows[rows[SUBJECT_COLUMN].duplicated(keep=False)]
    if len(twice):
        raise CohortInvalid(
            [
                Problem(
                    file=name, row=int(own.index[0]), field=SUBJECT_COLUMN,
                    found=f"{person!r} has rows that differ: {', '.join(map(str, own.index))}",
                    advice="keep one row for each person",
                )
                for person, own in twice.groupby(SUBJECT_COLUMN)
            ]
        )  # fmt: skip
    return rows, problems


def _values(column: ColumnCells, entry: Code, zone: str) -> Values:
    if entry.kind is Kind.EVENT:
        return table_columns.times(column, zone)
    if entry.is_numeric:
        return table_columns.numbers(column, entry)
    return table_columns.labels(column, entry, {})


def _as_records(label: pd.Series, values: Values, entry: Code, name: str) -> pd.DataFrame:
    is_event = entry.kind is Kind.EVENT
    kept_N = values.good_N if is_event else values.good_N | values.bad_N
    value = values.value_N[kept_N]
    amount = np.where(values.bad_N[kept_N], str(Amount.UNUSABLE), str(Amount.ONCE))
    table = {
        SUBJECT_LABEL: label[kept_N].to_numpy(), CODE: entry.code, AMOUNT: amount,
        SOURCE: DECLARED, FILE: name, PLACE: label.index[kept_N].astype(str),
    }  # fmt: skip
    column = TIME if is_event else NUMBER if entry.is_numeric else TEXT
    return record_table(pd.DataFrame(table | {column: value}))


def _blanks(people: PeopleTable, label_of: dict[str, str]) -> list[Problem]:
    return [
        Problem(
            file=people.file, row=people.row_of[label], field=SUBJECT_COLUMN,
            found=f"{label!r} was matched to the recordings of {recorded!r}, which differ only in"
            " blanks around it",
            cause="identifiers with blanks around them",
        )
        for label, recorded in label_of.items()
        if label != recorded
    ]  # fmt: skip


def _without_recording(
    people: PeopleTable, labels: list[str], recorded: list[str]
) -> list[Problem]:
    if not labels:
        return []
    named = []
    for label in labels:
        like = alike(label, recorded)
        hint = f", but there is one of {', '.join(map(repr, like))}" if like else ""
        named.append(f"{label!r} (row {people.row_of[label]}{hint})")
    return [
        Problem(
            file=people.file, row=people.row_of[labels[0]], field=SUBJECT_COLUMN,
            found=f"{len(labels)} person(s) match no recording and were left out:"
            f" {', '.join(named)}",
            advice="write each subject as its folder, file or record does, or remove the row",
        )
    ]  # fmt: skip


def _without_row(people: PeopleTable, labels: list[str]) -> list[Problem]:
    if not labels:
        return []
    return [
        Problem(
            file=people.file, row=None, field=SUBJECT_COLUMN,
            found=f"{len(labels)} person(s) with recordings have no row that matches:"
            f" {', '.join(map(repr, labels))}",
            advice="add their rows, so that their facts and dates are known",
        )
    ]  # fmt: skip
