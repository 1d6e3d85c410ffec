"""The rows of tables of values: whose they are, when, and what their declared columns hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, NOMINAL_ONSET, ONSET, TIME
from contracts.errors import Problem, SourceUnreadable
from features.measurements.records import (
    AMOUNT,
    BIRTH_DATE,
    DEATH,
    SUBJECT_LABEL,
    Amount,
    record_table,
)
from features.sources import table_columns
from features.sources.column_cells import CELL, ColumnCells, Values
from features.sources.column_map import Column, ColumnMap, Table
from features.sources.mapped_columns import DAYS, MappedColumn, declared_wrong
from features.tables.cells import as_text, by_row
from features.tables.missing import NO_IDENTIFIER, sums_up
from features.tables.text_tables import TableForm, TextTable

MOST_NAMED = 100
"""People whom one message names; of more the rest are counted."""


@dataclass(slots=True, kw_only=True)
class Found:
    """What was found in the tables read so far; filled table by table.

    Parameters
    ----------
    records
        Tables with some of `RECORD_COLUMNS`.
    problems, faults
        What was left out; what refuses the import.
    written
        How each identifier is written, blanks around it included, and its first file and row.
    unmapped
        How many columns and names the map does not list.
    listed
        Who has a row in each table of one row a person.
    expects_values
        Whether everybody should have values; of a hospital's whole records most people have none.
    """

    records: list[pd.DataFrame] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    faults: list[Problem] = field(default_factory=list)
    written: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    unmapped: int = 0
    listed: dict[str, set[str]] = field(default_factory=dict)
    expects_values: bool = True


def add_rows(
    rows: TextTable, table: Table, declared: ColumnMap, found: Found, when: Values | None = None
) -> None:
    """Read the declared columns of a table's rows.

    Parameters
    ----------
    found
        Gets what they hold, and every problem and fault.
    when
        The rows' times, where they were read already; by default they are read from the column that
        the table declares.
    """
    found.problems += rows.problems
    wide = [] if table.names_in else [column.column for column in table.columns]
    wanted = [table.subject, table.when, table.names_in, table.values_in, *wide]
    faults = [
        *rows.check_columns(wanted),
        *(fault for column in table.columns for fault in declared_wrong(table, column, declared)),
    ]
    if faults:
        found.faults += faults
        return
    found.unmapped += len(set(rows.cells.columns) - set(wanted))
    label, nobody_N = _labels(rows, table, found)
    if table.has_people:
        found.listed.setdefault(table.file, set()).update(label)
    if when is None:
        when = _dates(rows, table, declared)
    if when is not None:
        found.faults += when.faults
        found.problems += when.problems
    names = rows.cells[table.names_in] if table.names_in else None
    if names is not None:
        found.unmapped += len(set(names.unique()) - {c.column for c in table.columns} - {""})
    filled_N = np.zeros(len(rows.cells), dtype=np.bool_)
    undated_N = filled_N.copy()
    for column in table.columns:
        chosen_N = np.ones(len(label), dtype=np.bool_)
        if names is not None:
            chosen_N = (names == column.column).to_numpy(dtype=np.bool_, na_value=False)
            found.problems += _no_such_name(table, column, chosen_N)
        part = MappedColumn(table=table, column=column, declared=declared, label=label[chosen_N])
        values = part.read(rows.cells[table.values_in or column.column][chosen_N])
        found.faults += values.faults
        found.problems += values.problems
        filled_N[chosen_N] |= values.good_N | values.bad_N
        dates = when if column.day is None else table_columns.all_on(column.day, len(label))
        if when is not None and part.is_measured:
            lost_N = (values.good_N | values.bad_N) & ~(when.good_N | when.bad_N)[chosen_N]
            undated_N[chosen_N] |= lost_N
        found.records.append(part.records(values, dates, chosen_N))
    found.problems += _rows_left_out(rows, table.subject, filled_N & nobody_N, "no subject")
    found.problems += _rows_left_out(rows, table.when, undated_N, "no date")


def _dates(rows: TextTable, table: Table, declared: ColumnMap) -> Values | None:
    """Return the day or time of each row; None where the table dates no rows."""
    if not table.when:
        return None
    form = declared.form_of(table)
    cells = ColumnCells(file=table.file, name=table.when, cells=rows.cells[table.when], form=form)
    if table.visits:
        return table_columns.visits(cells, table.visits)
    if declared.clock == DAYS:
        return table_columns.days(cells)
    return table_columns.times(cells, form.time_zone)


def _labels(rows: TextTable, table: Table, found: Found) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return the identifiers, empty for a row of nobody, and which cells hold none."""
    cells = rows.cells[table.subject]
    if getattr(cells.dtype, "kind", "O") == "f" and (cells.abs() >= 2**53).any():
        raise SourceUnreadable(
            table.file, table.subject, "identifiers are decimal numbers and so large that some may"
            " have been rounded", "keep identifiers as text",
        )  # fmt: skip
    written = by_row(as_text(cells), cells.index)
    label = written.str.strip()
    for row, exact in written.drop_duplicates().items():
        found.written[exact.strip()].setdefault(exact, f"{table.file} row {row}")
    summed = sums_up(label)
    none = label.str.casefold().isin(NO_IDENTIFIER)
    for wrong, words in ((summed, "sums up other rows"), (none, "is nobody's identifier")):
        found.problems += _rows_left_out(rows, table.subject, wrong.to_numpy(), f"{CELL} {words}")
    return label.mask(summed | none, ""), (label == "").to_numpy(dtype=np.bool_)


def _rows_left_out(
    rows: TextTable, name: str, wrong_N: NDArray[np.bool_], found: str
) -> list[Problem]:
    if not wrong_N.any():
        return []
    cells = ColumnCells(file=rows.file, name=name, cells=rows.cells[name], form=TableForm())
    return cells.problems(
        wrong_N, f"{found}, the row was left out", "fill in the cell, or remove the row",
        f"rows left out: {found.removeprefix(CELL).strip()}",
    )  # fmt: skip


def _no_such_name(table: Table, column: Column, chosen_N: NDArray[np.bool_]) -> list[Problem]:
    if chosen_N.any():
        return []
    found = f"no row of the table has the name {column.column!r}"
    advice = "correct the map if the table should have it"
    return [Problem(file=table.file, row=None, field=table.names_in, found=found, advice=advice)]


def people_records(found: Found, *, nominal: bool) -> list[pd.DataFrame]:
    """Return the records of everybody with something dated; the others are named."""
    filled = [table for table in found.records if len(table)]
    found.problems += _written_twice(found)
    if not filled:
        return []
    records = record_table(pd.concat(filled, ignore_index=True))
    usable = records[records[TIME].notna() & (records[AMOUNT] != str(Amount.UNUSABLE))]
    usable = usable[~usable[CODE].isin([BIRTH_DATE, DEATH])]
    measured = set(usable.loc[~usable[CODE].isin([ONSET, ENROLMENT]), SUBJECT_LABEL].unique())
    dated = set(usable[SUBJECT_LABEL].unique())
    unmeasured = dated - measured
    people = [label for label in found.written if label]
    undated = [label for label in people if label not in dated]
    words = "no dated value in any table, left out"
    if found.expects_values:
        found.problems += _named(found, undated, words, "add a date, or remove the person")
    elif undated:
        found.problems.append(
            Problem(
                file="*", row=None, field="subject", found=f"{len(undated)} person(s) with {words}"
            )
        )
    found.problems += _named(
        found, [label for label in people if label in unmeasured],
        "dates but no value that can be used", "",
    )  # fmt: skip
    for file, listed in found.listed.items():
        found.problems += _named(
            found, [label for label in people if label in dated and label not in listed],
            f"values but no row in {file}", f"add their rows to {file}, or correct the identifiers",
        )  # fmt: skip
    kept = records[records[SUBJECT_LABEL].isin(dated)]
    if not nominal:
        return [kept]
    # In days since onset, day 0 is everybody's onset.
    onset = {SUBJECT_LABEL: sorted(dated), TIME: NOMINAL_ONSET, CODE: ONSET}
    return [kept, record_table(pd.DataFrame(onset))]


def _named(found: Found, labels: list[str], words: str, advice: str) -> list[Problem]:
    """Name people, each with the first place where they are."""
    if not labels:
        return []
    shown = labels if len(labels) <= MOST_NAMED else labels[: MOST_NAMED - 1]
    names = [f"{label!r} ({next(iter(found.written[label].values()))})" for label in shown]
    if len(shown) < len(labels):
        names.append(f"and {len(labels) - len(shown)} others")
    return [
        Problem(
            file="*", row=None, field="subject", count=1, advice=advice,
            found=f"{len(labels)} person(s) with {words}: {', '.join(names)}",
        )
    ]  # fmt: skip


def _written_twice(found: Found) -> list[Problem]:
    """Say which identifiers are written with and without blanks around them."""
    return [
        Problem(
            file="*", row=None, field="subject",
            found=f"{label!r} also stands with blanks around it ({', '.join(places.values())}) and"
            " is taken as one person",
        )
        for label, places in found.written.items()
        if label and len(places) > 1
    ]  # fmt: skip
