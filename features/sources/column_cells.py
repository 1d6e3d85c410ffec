"""The cells of one column of a table, and how problems name them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import MOST_PLACES, Problem
from features.tables.missing import undeclared_problem
from features.tables.text_tables import TableForm

CELL = "{cell}"
"""Stands for the first bad cell in what a problem says."""

ONE_CELL = 1
"""A single cell shows nothing about its column: only from two on can all be wrong alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCells:
    """The cells of one column.

    Parameters
    ----------
    file, name
        Of the table, and of the column, as problems name them.
    cells
        As read, by row.
    form
        How they are written.
    suspect
        Whether cells that look like a missing value are taken for one.
    has_labels
        Whether the map can declare labels of this column.
    """

    file: str
    name: str
    cells: pd.Series
    form: TableForm
    suspect: bool = True
    has_labels: bool = True

    def problems(
        self, bad_N: NDArray[np.bool_], found: str, advice: str, cause: str
    ) -> list[Problem]:
        """Return one problem for all cells that are bad alike: the first, their count and places.

        Parameters
        ----------
        found
            What was found, with `CELL` for the first cell.
        """
        rows = self.cells.index[bad_N]
        if not len(rows):
            return []
        first = self.cells.iloc[int(np.argmax(bad_N))]
        shown = first if isinstance(first, str) else str(first)
        return [
            Problem(
                file=self.file, row=int(rows[0]), field=self.name,
                found=found.replace(CELL, repr(shown)), advice=advice, cause=cause,
                count=len(rows), places=tuple(f"row {row}" for row in rows[:MOST_PLACES]),
            )
        ]  # fmt: skip

    def undeclared(
        self, mask_N: NDArray[np.bool_], *, kept: bool = False, may_be_value: bool = True
    ) -> list[Problem]:
        """Name cells that look like a missing value which is not declared."""
        return undeclared_problem(
            self.file, self.name, self.cells[mask_N], kept=kept, may_be_value=may_be_value
        )

    def fault(
        self, bad_N: NDArray[np.bool_], present: int, found: str, advice: str
    ) -> list[Problem]:
        """Return the fault of a column of whose several cells none can be used."""
        if present <= ONE_CELL or bad_N.sum() < present:
            return []
        every = f"none of its {present} values can be used: {found}"
        return self.problems(bad_N, every, advice, f"{self.name}: no value can be used")


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a column holds; N cells.

    Parameters
    ----------
    value_N
        Numbers, labels or times; NaN, None or NaT where there is none that can be used.
    good_N, bad_N
        Cells with a value, and cells that hold one which can't be used.
    problems, faults
        What was left out or is worth knowing; what refuses the column.
    """

    value_N: NDArray[np.generic] | NDArray[np.object_]
    good_N: NDArray[np.bool_]
    bad_N: NDArray[np.bool_]
    problems: list[Problem] = field(default_factory=list)
    faults: list[Problem] = field(default_factory=list)
