"""One column of a table of values: which cells hold a value, none, or something that can't be used.

A fault of the whole column (its unit, its signs within numbers, its order of day and month, its
labels) refuses the table; a fault of a row leaves the row out. Both are named.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.cohort import NOMINAL_ONSET
from contracts.errors import Problem
from contracts.vocabulary import Code
from contracts.vocabulary.units import Conversion, conversion
from features.measurements.wall_clock import advice_on_times, read_times
from features.sources.column_cells import CELL, ONE_CELL, ColumnCells, Values
from features.tables.cells import as_text, is_any_of, text_series
from features.tables.missing import MISSING_LIKE, suspected_codes
from features.tables.text_tables import may_be_grouped, read_numbers

LONGEST_DAYS = 36_525
"""A hundred years: no day of a record lies further from the onset."""

OTHER_SIGNS = r"^[+-]?(?:\d+,\d+|\d{1,3}(?:[.,' \x{a0}\x{202f}]\d{3})+(?:[.,]\d+)?)$"
"""Numbers with a decimal comma or grouped digits."""

COUNTED_UNIT = "/d"
"""Of codes whose values are counted, such as steps: they have no thousandths."""

MANY_OTHER_SIGNS = 0.1
"""From this share on they are how the column is written, and not single mistakes."""

DATE_LIKE = r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}"


def numbers(column: ColumnCells, entry: Code, unit: str | None = None) -> Values:
    """Read the numbers of a code in its unit; those outside its range can't be used.

    Parameters
    ----------
    unit
        The unit that they are written in; by default that of the code.
    """
    low, high = entry.low or 0.0, entry.high or 0.0
    wanted = f"from {low:g} to {high:g} {entry.unit}".rstrip() + entry.doubt("range")
    if unit is None or unit == entry.unit:
        return any_numbers(column, low, high, wanted, entry)
    back = conversion(entry.unit, unit)
    as_written = replace(entry, unit=unit, low=back(low), high=back(high))
    return any_numbers(
        column, low, high, f"in {unit} that is {wanted}", as_written, conversion(unit, entry.unit)
    )


def any_numbers(
    column: ColumnCells, low: float, high: float, wanted: str, entry: Code | None = None,
    converted: Conversion | None = None,
) -> Values:  # fmt: skip
    """Read numbers within a range.

    Parameters
    ----------
    wanted
        What numbers are expected, in words.
    entry
        The code whose values they are, as they are written, if codes for a missing value are to be
        suspected.
    converted
        How they come into the unit of the range, where they are written in another.
    """
    read = read_numbers(column.cells, column.form)
    value_N, problems = (
        read.value_N,
        column.undeclared(read.undeclared_N, may_be_value=False),
    )
    if entry is not None and column.suspect:
        codes = suspected_codes(value_N, entry)
        problems += column.undeclared(codes.left_out_N)
        problems += column.undeclared(codes.kept_N, kept=True)
        value_N = np.where(codes.left_out_N, np.nan, value_N)
    if converted is not None:
        value_N = converted(value_N)
    grouped_N = np.zeros(len(value_N), dtype=np.bool_)
    if entry is not None and entry.unit == COUNTED_UNIT:
        grouped_N = may_be_grouped(column.cells, column.form)
    good_N = (value_N >= low) & (value_N <= high) & ~grouped_N
    bad_N = read.bad_N | (~good_N & ~np.isnan(value_N))
    if not bad_N.any():
        return Values(value_N=value_N, good_N=good_N, bad_N=bad_N, problems=problems)
    present = int((good_N | bad_N).sum())
    found = f"{CELL} where a number {wanted} is expected"
    faults = _other_signs(column, read.bad_N | grouped_N, present) or column.fault(
        bad_N, present, found,
        "check the column and its unit, and declare the signs within its numbers (decimal,"
        " thousands) in the map",
    )  # fmt: skip
    problems += column.problems(
        bad_N, f"{found}; left out", "check the entry and its unit",
        "numbers that can't be used",
    )  # fmt: skip
    return Values(value_N=value_N, good_N=good_N, bad_N=bad_N, problems=problems, faults=faults)


def _other_signs(column: ColumnCells, bad_N: NDArray[np.bool_], present: int) -> list[Problem]:
    """Return the fault of a column that is written with other signs than declared.

    Leaving its cells out would leave out only the large or the broken numbers.
    """
    if bad_N.sum() <= ONE_CELL:
        return []
    text = as_text(column.cells)
    other_N = bad_N & np.array(pc.match_substring_regex(text, OTHER_SIGNS).to_numpy(), dtype=bool)
    if other_N.sum() <= ONE_CELL or other_N.sum() < MANY_OTHER_SIGNS * present:
        return []
    return column.problems(
        other_N, f"{CELL} is a number with signs that are not declared",
        'declare decimal = "," or thousands in the map, such as thousands = "."',
        "signs within numbers",
    )  # fmt: skip


def labels(column: ColumnCells, entry: Code, declared: dict[str, str]) -> Values:
    """Read the labels of a code.

    Parameters
    ----------
    declared
        The vocabulary's label for each of the table's; empty where the table has those already.
    """
    text = text_series(column.cells)
    as_arrow = as_text(text)
    empty_N = (text == "").to_numpy(dtype=np.bool_)
    missing_N = is_any_of(as_arrow, column.form.missing)
    like_N = is_any_of(as_arrow, MISSING_LIKE)
    if declared:
        good_N = text.isin(declared).to_numpy()
        value = text.map(declared)
    elif entry.labels:
        good_N, value = text.isin(entry.labels).to_numpy() & ~missing_N, text
    else:
        good_N, value = ~empty_N & ~missing_N & ~(like_N & column.suspect), text
    undeclared_N = like_N & ~good_N & ~missing_N & ~empty_N
    bad_N = ~good_N & ~empty_N & ~missing_N & ~undeclared_N
    wanted = f"one of {', '.join(declared or entry.labels)} is expected"
    first = json.dumps(str(text[bad_N].iloc[0]), ensure_ascii=False) if bad_N.any() else ""
    stands_for = f", with one of {', '.join(entry.labels)}" if entry.labels else ""
    example = f'labels = {{ {first} = "..." }}{stands_for}'
    advice = f"correct the cell, or declare in the map what it stands for: {example}"
    if not column.has_labels:
        advice = f"write it as one of {', '.join(entry.labels)}, in small letters"
    present = int((good_N | bad_N).sum())
    return Values(
        value_N=value.astype(object).where(good_N, None).to_numpy(),
        good_N=good_N,
        bad_N=bad_N,
        problems=[
            *column.undeclared(undeclared_N),
            *column.problems(
                bad_N, f"{CELL} where {wanted}, left out",
                advice, "labels that are not known",
            ),
        ],
        faults=column.fault(
            bad_N, present, f"{CELL} where {wanted}",
            f"declare in the map what each label of the table stands for: {example}",
        ),
    )  # fmt: skip


def times(column: ColumnCells, zone: str) -> Values:
    """Read times on the wall clock."""
    cells, problems, empty_N = _without_missing(column)
    read = read_times(cells, zone=zone, form=column.form.date_format)
    good_N, bad_N = ~np.isnat(read.time_N), read.bad_N
    advice = advice_on_times(read, column.form.date_format)
    present = int((~empty_N).sum())
    faults = column.problems(
        read.other_order_N, f"{CELL} is a date in an order of day, month and year that is not"
        " declared", advice, "order of day and month",
    ) or column.fault(bad_N, present, f"{CELL} where a time is expected", advice)  # fmt: skip
    problems += column.problems(
        bad_N & ~read.other_order_N, f"{CELL} where a time is expected, left out",
        advice, "cells that are no time",
    )  # fmt: skip
    problems += column.problems(
        read.in_utc_N, f"{CELL} is in UTC and no time_zone is declared, so days are days in UTC",
        "declare time_zone in the map", "times in UTC",
    )  # fmt: skip
    return Values(value_N=read.time_N, good_N=good_N, bad_N=bad_N, problems=problems, faults=faults)


def days(column: ColumnCells) -> Values:
    """Read whole days since the onset as dates after the nominal onset."""
    cells, problems, empty_N = _without_missing(column)
    kind = getattr(cells.dtype, "kind", "O")
    if kind == "m":
        value_N = cells.to_numpy(dtype="timedelta64[us]") / np.timedelta64(1, "D")
        date_N = np.zeros(len(cells), dtype=np.bool_)
    elif kind == "M":
        value_N = np.full(len(cells), np.nan)
        date_N = cells.notna().to_numpy()
    else:
        value_N = read_numbers(cells, column.form).value_N
        text = as_text(cells)
        date_N = np.array(pc.match_substring_regex(text, DATE_LIKE).to_numpy(), dtype=np.bool_)
    whole_N = (value_N % 1 == 0) & (np.abs(value_N) <= LONGEST_DAYS)
    good_N = whole_N & (value_N >= 0)
    bad_N = ~empty_N & ~good_N
    faults = column.problems(
        date_N, f"{CELL} is a date, and the map's clock is days since onset",
        'write whole days, or declare clock = "timestamps" and the column of the onset',
        "dates for days",
    ) or column.fault(
        ~empty_N & ~whole_N, int((~empty_N).sum()), f"{CELL} where a whole number of days is"
        " expected", "write whole days since the onset",
    )  # fmt: skip
    problems += column.problems(
        bad_N & ~whole_N, f"{CELL} where a whole number of days is expected, left out",
        "correct the cell", "cells that are no day",
    )  # fmt: skip
    problems += column.problems(
        whole_N & ~good_N, f"day {CELL} lies before the onset, left out",
        "check the day", "days before the onset",
    )  # fmt: skip
    day_N = np.where(good_N, value_N, 0).astype("timedelta64[D]")
    time_N = np.where(good_N, np.datetime64(NOMINAL_ONSET, "us") + day_N, np.datetime64("NaT"))
    return Values(
        value_N=time_N.astype("datetime64[us]"), good_N=good_N, bad_N=bad_N, problems=problems,
        faults=faults,
    )  # fmt: skip


def _without_missing(column: ColumnCells) -> tuple[pd.Series, list[Problem], NDArray[np.bool_]]:
    """Return a column of dates without its missing cells, and which are empty then."""
    cells = column.cells
    if getattr(cells.dtype, "kind", "O") in "mM":
        return cells, [], cells.isna().to_numpy()
    text = as_text(cells)
    missing_N = is_any_of(text, column.form.missing)
    undeclared_N = is_any_of(text, MISSING_LIKE) & ~missing_N
    if (missing_N | undeclared_N).any():
        cells = cells.astype(object).where(~(missing_N | undeclared_N), None)
    empty_N = np.array(pc.equal(pc.utf8_trim_whitespace(text), "").to_numpy(), dtype=np.bool_)
    return (
        cells,
        column.undeclared(undeclared_N, may_be_value=False),
        empty_N | missing_N | undeclared_N,
    )
