"""Missing values: those that a map declares, and those that only look like one.

Nobody knows whether 999 is a distance or a mark for "not measured": a map declares which cells
stand for a missing value. What looks like one and is not declared is named with its count.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import MOST_PLACES, Problem
from contracts.vocabulary import Code, Kind
from features.measurements.plausible import NEVER_ZERO
from features.tables.cells import written

MISSING_LIKE = frozenset({"na", "n/a", "nan", "null", "none", "nil", ".", "-", "--", "?", "k.a.",
                          "k. a.", "ka", "keine angabe", "missing", "unknown", "unk", "nd", "n.d.",
                          "#n/a", "#value!", "#div/0!"})  # fmt: skip
"""What people and spreadsheets write for a missing value; left out, and named unless declared."""

CLEAR_CODES = (-1.0, -8.0, -9.0, -88.0, -99.0, -888.0, -999.0, -9999.0, 777.0, 888.0, 999.0, 9999.0)
"""Numbers that stand for a missing value in many studies and are rare as values."""

SHORT_CODES = (77.0, 88.0, 99.0)
"""The same, but common as values: only suspected above every other value of the column."""

FROM_LARGE = 100.0
"""From here on a code within the range of a bedside score is left out: few scores are so high."""

NO_IDENTIFIER = frozenset({"na", "n/a", "nan", "null", "none", ".", "-", "--", "?", "#n/a"})
"""What stands where nobody's identifier is."""

TOTALS = frozenset({"total", "totals", "grand total", "sum", "mean", "average", "median", "sd",
                    "std", "summe", "gesamt", "mittelwert", "durchschnitt", "n ="})  # fmt: skip
"""First cells of rows that sum up a table; nobody's identifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectedCodes:
    """Numbers of a column that may stand for a missing value; N cells.

    Parameters
    ----------
    left_out_N, kept_N
        Those that are left out, and those that may as well be values.
    """

    left_out_N: NDArray[np.bool_]
    kept_N: NDArray[np.bool_]


def suspected_codes(value_N: NDArray[np.float64], entry: Code) -> SuspectedCodes:
    """Return which numbers of a column look like codes for a missing value.

    Parameters
    ----------
    value_N
        The column's numbers, NaN where there is none.
    entry
        What they measure: a code outside its range can't be a value.
    """
    clear_N = np.isin(value_N, CLEAR_CODES)
    short_N = np.isin(value_N, SHORT_CODES)
    others = value_N[~clear_N & ~short_N & ~np.isnan(value_N)]
    inside_N = (value_N >= (entry.low or 0.0)) & (value_N <= (entry.high or 0.0))
    short_N &= inside_N & (value_N > (others.max() if len(others) else np.inf))
    large_N = (np.abs(value_N) >= FROM_LARGE) & (entry.kind is Kind.ASSESSMENT)
    left_out_N = clear_N & (~inside_N | large_N)
    zero_N = (value_N == 0) & (entry.code in NEVER_ZERO)
    return SuspectedCodes(left_out_N=left_out_N, kept_N=(clear_N & ~left_out_N) | short_N | zero_N)


def undeclared_problem(
    file: str, field: str, cells: pd.Series, *, kept: bool = False, may_be_value: bool = True
) -> list[Problem]:
    """Name cells that look like a missing value and are not declared as one, with their count.

    Parameters
    ----------
    cells
        These cells, by row.
    kept
        Whether they stay values.
    may_be_value
        Whether they could be values at all.
    """
    if cells.empty:
        return []
    words = Counter(written(cell) for cell in cells)
    counts = ", ".join(f"{word!r} ({count})" for word, count in words.most_common())
    listed = ", ".join(f'"{word}"' for word, _ in words.most_common())
    declare = f"declare missing = [{listed}] for this column in the map"
    if kept:
        found = f"{counts}: may stand for a missing value, which is not declared; kept as a value"
        advice = f"{declare} if it does, and missing = [] if not"
    else:
        found = f"{counts}: looks like a missing value, which is not declared; left out"
        advice = declare + (", and missing = [] if it is a value" if may_be_value else "")
    return [
        Problem(
            file=file,
            row=int(cells.index[0]),
            field=field,
            found=found,
            advice=advice,
            count=len(cells),
            places=tuple(f"row {row}" for row in cells.index[:MOST_PLACES]),
        )
    ]


def sums_up(label: pd.Series) -> pd.Series:
    """Return which identifiers are the word of a totals row."""
    words = [name for name in label.unique() if str(name).strip(" :").casefold() in TOTALS]
    return label.isin(words)
