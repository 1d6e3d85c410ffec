"""Importer of plain CSV or Parquet tables through a column map, a TOML file beside them.

docs/importing.md has an example. Nothing is guessed: the clock, every column, every unit and every
label is declared, and what is not declared is left out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from contracts.cohort import (
    CODE,
    COLUMNS,
    NOMINAL_ONSET,
    NUMBER,
    ONSET,
    SUBJECT,
    TEXT,
    TIME,
    Provenance,
    RuleCount,
)
from contracts.errors import CohortInvalid, Problem
from contracts.vocabulary import Code, Kind, vocabulary
from features.checks import HEADER_ROWS, check_events
from features.sources.column_map import Clock, Column, Table, read_column_map

NAME = "tables"
"""As named on the command line."""

ROW = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Events of one table with their source rows, and what was wrong."""

    events: pd.DataFrame
    problems: list[Problem]
    unmapped: int


def import_tables(column_map: Path) -> tuple[pd.DataFrame, Provenance]:
    """Read the tables that a column map names.

    Returns
    -------
    Events with `contracts.cohort.COLUMNS`, and where they come from.

    Raises
    ------
    ContractError
        The map can't be read or breaks its own contract.
    CohortInvalid
        Problems in the tables, each with file, row and field.
    """
    declared = read_column_map(column_map)
    reads = [_read_table(column_map.parent, table, declared.clock) for table in declared.tables]
    # Columns share their table's subject and date: a wrong one is reported once.
    problems = list(dict.fromkeys(problem for read in reads for problem in read.problems))
    events = pd.concat([read.events for read in reads], ignore_index=True)
    nominal = declared.clock == "days since onset"
    if nominal:
        events = pd.concat([_onsets(events), events], ignore_index=True)
    if not problems:
        problems = check_events(
            events, file=column_map.name, rows=events[ROW], dates_shifted=nominal
        )
    if problems:
        raise CohortInvalid(problems)
    provenance = Provenance(
        name=declared.name,
        source=f"tables by {column_map.name}: {', '.join(t.file for t in declared.tables)}",
        simulated=declared.simulated,
        dates_shifted=nominal,
        details=declared.model_dump(mode="json"),
        rules=(
            RuleCount(rule="column not in the map: left out", rows=sum(r.unmapped for r in reads)),
        ),
    )
    return events[list(COLUMNS)], provenance


def _read_table(folder: Path, table: Table, clock: Clock) -> _Read:
    rows, problems = _rows(folder, table)
    parts = [pd.DataFrame(columns=[*COLUMNS, ROW])]
    if not problems:
        for column in table.columns:
            part, column_problems = _column(rows, table, column, clock)
            parts.append(part)
            problems += column_problems
    used = {table.subject, table.when, table.names_in, table.values_in}
    used |= {column.column for column in table.columns}
    events = pd.concat([part for part in parts if len(part)]) if len(parts) > 1 else parts[0]
    return _Read(events=events, problems=problems, unmapped=len(set(rows.columns) - used))


def _rows(folder: Path, table: Table) -> tuple[pd.DataFrame, list[Problem]]:
    """Read a file as text, with every column that the map names."""
    file = folder / table.file
    try:
        rows = (
            pd.read_parquet(file)
            if file.suffix == ".parquet"
            else pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])
        )
    except (OSError, ValueError, pa.ArrowException) as error:
        problem = Problem(
            file=table.file,
            row=None,
            field="*",
            found=f"cannot be read ({error})",
            advice="check the path and export it again",
        )
        return pd.DataFrame(), [problem]
    wide = [] if table.names_in else [column.column for column in table.columns]
    wanted = [table.subject, table.when, table.names_in, table.values_in, *wide]
    missing = [name for name in wanted if name and name not in rows.columns]
    advice = f"correct the map, or rename the right one of: {', '.join(map(str, rows.columns))}"
    return rows, [
        Problem(file=table.file, row=1, field=name, found="no such column", advice=advice)
        for name in missing
    ]


def _column(
    rows: pd.DataFrame, table: Table, column: Column, clock: Clock
) -> tuple[pd.DataFrame, list[Problem]]:
    """Turn one declared column into events."""
    entry = vocabulary().get(column.code)
    if entry is None or entry.unit != column.unit:
        found, advice = (
            (f"{column.code!r} is not in the vocabulary", "use one of its codes")
            if entry is None
            else (
                f"declared in {column.unit!r}, but {column.code} is kept in {entry.unit!r}",
                "convert the table first",
            )
        )
        problem = Problem(
            file=table.file, row=None, field=column.column, found=found, advice=advice
        )
        return pd.DataFrame(columns=[*COLUMNS, ROW]), [problem]
    chosen = rows[rows[table.names_in] == column.column] if table.names_in else rows
    cells = chosen[table.values_in or column.column]
    chosen, cells = chosen[cells.notna()], cells[cells.notna()]
    events = pd.DataFrame({CODE: column.code, ROW: chosen.index + HEADER_ROWS}, index=chosen.index)
    problems: list[Problem] = []
    for name, values, cell_problems in (
        (SUBJECT, *_whole_numbers(chosen[table.subject], table, table.subject)),
        (TIME, *_when(chosen, cells, entry, table, column, clock)),
        (NUMBER, *_numbers(cells, entry, table, column)),
        (TEXT, *_texts(cells, entry, table, column)),
    ):
        events[name] = values
        problems += cell_problems
    return events, problems


_Checked = tuple[pd.Series, list[Problem]]


def _problems(bad: pd.Series, table: Table, field: str, expected: str) -> list[Problem]:
    return [
        Problem(
            file=table.file,
            row=row + HEADER_ROWS,
            field=field,
            found=f"{value!r} where {expected} is expected",
            advice="correct the cell",
        )
        for row, value in zip(bad.index.tolist(), bad.tolist(), strict=True)
    ]


def _whole_numbers(cells: pd.Series, table: Table, field: str) -> _Checked:
    number = pd.to_numeric(cells, errors="coerce")
    bad = ~(np.isfinite(number) & (number % 1 == 0))
    filled = number.where(~bad, 0).astype("int64")
    return filled, _problems(cells[bad], table, field, "a whole number")


def _when(
    chosen: pd.DataFrame,
    cells: pd.Series,
    entry: Code,
    table: Table,
    column: Column,
    clock: Clock,
) -> _Checked:
    """Date the rows: an event by its own cell, a measurement by the table's `when`."""
    if entry.kind is not Kind.EVENT and not table.when:
        return pd.Series(pd.NaT, index=chosen.index, dtype="datetime64[us]"), []
    dated = cells if entry.kind is Kind.EVENT else chosen[table.when]
    field = column.column if entry.kind is Kind.EVENT else table.when
    if clock == "days since onset":
        day, problems = _whole_numbers(dated, table, field)
        return NOMINAL_ONSET + pd.to_timedelta(day, unit="D"), problems
    time = pd.to_datetime(dated, errors="coerce", format="ISO8601").astype("datetime64[us]")
    return time, _problems(dated[time.isna()], table, field, "an ISO 8601 date")


def _numbers(cells: pd.Series, entry: Code, table: Table, column: Column) -> _Checked:
    if not entry.is_numeric:
        return pd.Series(np.nan, index=cells.index), []
    number = pd.to_numeric(cells, errors="coerce").astype(float)
    return number, _problems(cells[number.isna()], table, column.column, "a number")


def _texts(cells: pd.Series, entry: Code, table: Table, column: Column) -> _Checked:
    if entry.is_numeric or entry.kind is Kind.EVENT:
        return pd.Series(None, index=cells.index, dtype=object), []
    text = cells.astype(str).astype(object)
    if not column.labels:
        return text, []
    known = text.isin(column.labels)
    listed = f"one of the map's labels ({', '.join(column.labels)})"
    return text.map(column.labels), _problems(text[~known], table, column.column, listed)


def _onsets(events: pd.DataFrame) -> pd.DataFrame:
    subjects = pd.Series(events[SUBJECT].unique(), dtype="int64")
    return pd.DataFrame(
        {SUBJECT: subjects, TIME: NOMINAL_ONSET, CODE: ONSET, NUMBER: np.nan, TEXT: None, ROW: 0}
    )
