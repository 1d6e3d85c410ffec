"""Tables of Fitbit days, one row a person and day: Fitabase's, and those of cohorts made from them.

Which columns there are is declared by `DayColumns`. Each cell becomes a statement of the whole day.
A day on which nothing shows that the tracker was worn has no movement: it is *not recorded*, which
is something else than 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TIME
from contracts.errors import Problem, SourceUnreadable
from features.measurements.records import (
    AMOUNT,
    FILE,
    PLACE,
    SOURCE,
    SUBJECT_LABEL,
    Amount,
    record_table,
)
from features.measurements.wall_clock import read_times_in
from features.recording import Reading, SourceFile, problem
from features.tables.text_tables import Numbers, TextTable, may_be_grouped, read_numbers

FITBIT = "Fitbit"
"""Source of all of these statements: one person wears one tracker."""

STEPS, DISTANCE = "LOINC//41950-7", "REHABCAST//DISTANCE"
RESTING, SLEEP, ACTIVE = "LOINC//40443-4", "REHABCAST//SLEEP", "REHABCAST//ACTIVE_TIME"
MOVEMENT = {STEPS, DISTANCE, ACTIVE}
"""What a tracker in a drawer counts as 0."""

WHOLE_DAY_MIN = 1440
SHOWN_DAYS = 3
_SHORTENED = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]{2,}", re.ASCII)
"""How a spreadsheet program writes a number of more than eleven digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayColumns:
    """Which columns a table of days has.

    Parameters
    ----------
    subject, date
        Columns of the person and the day.
    forms
        How the source itself writes a day (`read_times_in`); a form that the map declares replaces
        them.
    values
        Code and factor to its unit, by column.
    active
        Columns of vigorous and of moderate minutes, which are added up.
    light, sedentary
        Columns of the day's other minutes.
    """

    subject: str
    date: str
    forms: tuple[str, ...]
    values: Mapping[str, tuple[str, float]]
    active: tuple[str, str]
    light: str
    sedentary: str


def read_days(file: SourceFile, table: TextTable, columns: DayColumns) -> Reading:
    """Return each day's statements.

    Raises
    ------
    SourceUnreadable
        The days are in an undeclared order, or a program has shortened the people's numbers.
    """
    cells = table.cells
    _check_subjects(file, cells[columns.subject], columns.subject)
    day_N, dropped = _days(file, cells[columns.date], columns)
    nobody_N = (cells[columns.subject] == "").to_numpy()
    dropped += _row_problems(
        file, cells.index[nobody_N], columns.subject, "nobody is named in this row, it was left out"
    )
    known_N = ~np.isnat(day_N) & ~nobody_N
    day_N, cells = day_N[known_N], cells[known_N]
    numbers = {
        name: _numbers(file, cells[name], columns.values.get(name, ("", 1.0))[0])
        for name in (*columns.values, *columns.active, columns.light, columns.sedentary)
        if name in cells
    }
    for name, read in numbers.items():
        dropped += _number_problems(file, cells[name], name, read)
    unworn_N = _unworn(numbers, columns, len(cells))
    statements = list(_statements(numbers, columns, unworn_N))
    dropped += _unworn_problem(file, day_N, unworn_N, columns, statements)
    tables = [_records(file, cells, columns.subject, day_N, *part) for part in statements]
    records = pd.concat([record_table(part) for part in tables]) if tables else None
    return Reading(records=records, dropped=(*table.problems, *dropped))


def _numbers(file: SourceFile, cells: pd.Series, code: str) -> Numbers:
    read = read_numbers(cells, file.form)
    if code != STEPS:
        return read
    grouped_N = may_be_grouped(cells, file.form)
    return replace(
        read, value_N=np.where(grouped_N, np.nan, read.value_N), bad_N=read.bad_N | grouped_N
    )


def _check_subjects(file: SourceFile, subjects: pd.Series, column: str) -> None:
    shortened = subjects[subjects.str.fullmatch(_SHORTENED)]
    if len(shortened):
        raise SourceUnreadable(
            file.name, column,
            f"row {shortened.index[0]} holds {shortened.iloc[0]!r}: a spreadsheet program has"
            " shortened the number of the person, so that several people may share it",
            "export the table again and import it without opening it in a spreadsheet program",
        )  # fmt: skip


def _days(
    file: SourceFile, cells: pd.Series, columns: DayColumns
) -> tuple[NDArray[np.datetime64], list[Problem]]:
    declared = file.form.date_format
    forms = (declared,) if declared else columns.forms
    times = read_times_in(cells, forms)
    if times.other_order_N.any():
        first = cells[times.other_order_N]
        form = forms[0] or "YYYY-MM-DD"
        raise SourceUnreadable(
            file.name, columns.date,
            f"row {first.index[0]} holds {first.iloc[0]!r}, which is not a date as {form}; whether"
            " the day or the month stands first is not certain in the whole column",
            f'declare the form of {columns.date} as date_format in [[files]] of the map, such as'
            ' date_format = "D/M/YYYY"',
        )  # fmt: skip
    missing_N = np.isnat(times.time_N) & ~times.bad_N
    problems = [
        *_row_problems(
            file, cells.index[missing_N], columns.date, "no date in this row, it was left out"
        ),
        *(
            Problem(
                file=file.name,
                row=int(str(row)),
                field=columns.date,
                found=f"{cell!r} where a date is expected, the row was left out",
                advice=f"write dates as {forms[0] or 'YYYY-MM-DD'}",
                cause="no date",
            )
            for row, cell in cells[times.bad_N].items()
        ),
    ]
    return times.time_N.astype("datetime64[D]").astype("datetime64[ns]"), problems


def _row_problems(file: SourceFile, rows: pd.Index, field: str, found: str) -> list[Problem]:
    advice = "complete the row if it is needed"
    return [
        Problem(file=file.name, row=int(row), field=field, found=found, advice=advice)
        for row in rows
    ]


def _number_problems(
    file: SourceFile, cells: pd.Series, name: str, read: Numbers
) -> Iterator[Problem]:
    for row, cell in cells[read.bad_N].items():
        yield Problem(
            file=file.name, row=int(str(row)), field=name,
            found=f"{cell!r} where a number is expected, it was left out",
            advice="correct the cell, or declare decimal and thousands in [[files]] of the map",
            cause="no number",
        )  # fmt: skip
    for row, cell in cells[read.undeclared_N].items():
        yield Problem(
            file=file.name, row=int(str(row)), field=name,
            found=f"{cell!r} is taken as a missing value",
            advice=f'declare missing = ["{cell}"] in [[files]] of the map if it is one',
            cause=f"{cell!r} is taken as a missing value",
        )  # fmt: skip


def _unworn(numbers: Mapping[str, Numbers], columns: DayColumns, length: int) -> NDArray[np.bool_]:
    """Return the days whose movement is stated and on which nothing shows that it was worn."""
    moved_N, stated_N = (np.zeros(length, dtype=np.bool_) for _ in range(2))
    sedentary_N = np.full(length, np.nan)
    for name, read in numbers.items():
        if name == columns.sedentary:
            sedentary_N = read.value_N
        elif name not in columns.values or columns.values[name][0] in MOVEMENT:
            moved_N |= read.value_N > 0
            stated_N |= np.isfinite(read.value_N)
    some_N = (sedentary_N > 0) & (sedentary_N < WHOLE_DAY_MIN)
    return np.asarray(stated_N & ((sedentary_N >= WHOLE_DAY_MIN) | (~moved_N & ~some_N)))


_Statement = tuple[str, str, NDArray[np.float64], NDArray[np.bool_]]
"""Column, code, values in the code's unit, and cells that can't be used."""


def _statements(
    numbers: Mapping[str, Numbers], columns: DayColumns, unworn_N: NDArray[np.bool_]
) -> Iterator[_Statement]:
    stated = [
        (name, code, numbers[name].value_N * factor, numbers[name].bad_N)
        for name, (code, factor) in columns.values.items()
        if name in numbers
    ]
    if set(columns.active) <= set(numbers):
        vigorous, moderate = (numbers[name] for name in columns.active)
        minutes_N = vigorous.value_N + moderate.value_N
        bad_N = vigorous.bad_N | moderate.bad_N
        stated.append((" + ".join(columns.active), ACTIVE, minutes_N, bad_N))
    for name, code, value_N, bad_N in stated:
        masked_N = np.where(unworn_N, np.nan, value_N) if code in MOVEMENT else value_N
        yield name, code, masked_N, bad_N


def _unworn_problem(
    file: SourceFile,
    day_N: NDArray[np.datetime64],
    unworn_N: NDArray[np.bool_],
    columns: DayColumns,
    statements: list[_Statement],
) -> list[Problem]:
    names = [name for name, code, _, _ in statements if code in MOVEMENT]
    if not unworn_N.any() or not names:
        return []
    return [unworn_days(file, columns.date, day_N[unworn_N], ", ".join(names))]


def unworn_days(file: SourceFile, where: str, day_N: NDArray[np.datetime64], names: str) -> Problem:
    """Return that some days are not recorded, as an import reports it: nothing needs to be done."""
    days = pd.DatetimeIndex(np.unique(day_N)).strftime("%Y-%m-%d")
    first = ", ".join(days[:SHOWN_DAYS]) + (", ..." if len(days) > SHOWN_DAYS else "")
    found = (
        f"{len(day_N)} day(s) on which nothing shows that the tracker was worn ({first});"
        f" {names} of these days are not recorded"
    )
    return problem(file, where, found)


def _records(
    file: SourceFile,
    cells: pd.DataFrame,
    subject: str,
    day_N: NDArray[np.datetime64],
    name: str,
    code: str,
    value_N: NDArray[np.float64],
    bad_N: NDArray[np.bool_],
) -> pd.DataFrame:
    stated_N = np.isfinite(value_N) | bad_N
    return pd.DataFrame(
        {
            SUBJECT_LABEL: cells[subject].to_numpy()[stated_N],
            TIME: day_N[stated_N],
            CODE: code,
            NUMBER: value_N[stated_N],
            AMOUNT: np.where(bad_N[stated_N], str(Amount.UNUSABLE), str(Amount.TOTAL)),
            SOURCE: FITBIT,
            FILE: file.name,
            PLACE: cells.index.to_numpy()[stated_N].astype(str),
        }
    )
