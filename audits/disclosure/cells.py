"""The cells of a report, as sets of rows of the prediction table, and the sums that bind them.

A cell is a group of people (everyone, a group, or an intersection of two) over all horizons or at
one. A published mean times its count is a sum over the cell's rows, and sums add up: an attribute's
groups to everyone, intersections to the group, horizons to all horizons. Each such equation is a
`Line`. Cells of the same rows are one set, because who is told one is told the other.

People weigh alike, however many forecasts they have (`audits.measure.people`), so within a cell a
row weighs one over the person's rows: over all of them where all horizons count together, over
those at the horizon where one counts. The sums of horizons therefore add up to that of all of them
only among people with equally many rows; what is left over is about the others.

Letters: N rows, S sets, P people, K sets asked about, D denominators.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from audits.measure.groups import EVERYONE
from contracts.groups import MINIMUM_SHOWN

Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A group of an axis, over all horizons (None) or at one."""

    axis: str
    group: str
    horizon_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An equation: the sums of the children add up to that of the parent. Indices of sets.

    Parameters
    ----------
    by_horizon
        Whether the children are the horizons of the parent: then it holds among people with equally
        many rows only.
    """

    parent: int
    children: tuple[int, ...]
    by_horizon: bool = False


@dataclass(frozen=True, kw_only=True)
class Cells:
    """All cells that a report could show of one quantity.

    Parameters
    ----------
    set_of
        The set of each cell; cells without a row have none.
    row_SN
        Rows of each set, 1 where it holds the row.
    lines
        The equations between sets.
    attributes_of
        How many attributes each axis has: none for everyone, two for an intersection.
    person_N
        Number of the person of each row, from 0.
    horizon_N
        Horizon of each row.
    denominator_DN
        Rows of each denominator that a number may have: all of them first, then, for a milestone,
        those that reached it, those that did not, and those forecast to reach it.
    unit_N
        Number of each row's person as recorded, where that differs between reports; else the
        person's. Within one, rows weigh alike.
    published_S
        Sets that an earlier report has shown, whatever this one does; None where there is none.
    """

    set_of: dict[Cell, int]
    row_SN: sparse.csr_array
    lines: tuple[Line, ...]
    attributes_of: dict[str, int]
    person_N: NDArray[np.intp]
    horizon_N: NDArray[Any]
    denominator_DN: Bools
    unit_N: NDArray[np.intp] | None = None
    published_S: Bools | None = None

    @property
    def sets(self) -> int:
        """How many sets there are."""
        return int(self.row_SN.shape[0])

    @cached_property
    def cells_of(self) -> tuple[tuple[Cell, ...], ...]:
        """The cells of each set."""
        found: list[list[Cell]] = [[] for _ in range(self.sets)]
        for cell, number in self.set_of.items():
            found[number].append(cell)
        return tuple(map(tuple, found))

    @cached_property
    def by_denominator(self) -> tuple[Cells, ...]:
        """The same sets, of all rows and of each denominator's rows alone.

        A rate among those who reached a milestone adds up over their rows only, and there sets are
        the same that are not otherwise.
        """
        held_DN = [held_N for held_N in self.denominator_DN[1:] if held_N.any()]
        return (self, *map(self._of_rows, held_DN))

    def _of_rows(self, held_N: Bools) -> Cells:
        held = np.flatnonzero(held_N)
        return replace(
            self,
            row_SN=sparse.csr_array(self.row_SN[:, held]),
            person_N=self.person_N[held],
            unit_N=None if self.unit_N is None else self.unit_N[held],
            horizon_N=self.horizon_N[held],
            denominator_DN=np.ones((1, len(held)), dtype=np.bool_),
        )

    @cached_property
    def rows_each_2N(self) -> Counts:
        """How many rows the person of each row has: in all, and at the row's horizon."""
        of_N = self.person_N if self.unit_N is None else self.unit_N
        return rows_each(of_N, self.horizon_N)

    @cached_property
    def weight_SN(self) -> sparse.csr_array:
        """What each row weighs in the sum of each set."""
        row = self.row_SN
        is_one_horizon_S = np.array([cells[0].horizon_day is not None for cells in self.cells_of])
        which = is_one_horizon_S.repeat(np.diff(row.indptr)).astype(np.intp)
        return sparse.csr_array(
            (1.0 / self.rows_each_2N[which, row.indices], row.indices, row.indptr), shape=row.shape
        )

    @cached_property
    def people_SD(self) -> Counts:
        """People of each set in each denominator."""
        return self.people(self.row_SN)

    @cached_property
    def everyone_S(self) -> NDArray[np.intp]:
        """The set that holds everyone at the horizon of each set."""
        whole = {c.horizon_day: s for c, s in self.set_of.items() if c.axis == EVERYONE}
        # A set that is one at two horizons takes the larger one's: all horizons come first.
        return np.array([whole[cells[0].horizon_day] for cells in self.cells_of], dtype=np.intp)

    def people(self, row_KN: sparse.csr_array) -> Counts:
        """Return how many people have a row in each denominator of each set of rows, (K, D)."""
        denominators = range(len(self.denominator_DN))
        people_DK = [(self._by_person(row_KN, d) != 0).sum(axis=1) for d in denominators]
        return np.stack(people_DK, axis=1).astype(np.int64)

    @cached_property
    def rest_SD(self) -> Counts:
        """People of everyone outside each set, by denominator; a person may be on both sides."""
        rest_SD = np.empty_like(self.people_SD)
        whole, which_S = np.unique(self.everyone_S, return_inverse=True)
        for d in range(len(self.denominator_DN)):
            inside = self._by_person(self.row_SN, d)
            of_set = np.repeat(np.arange(self.sets), np.diff(inside.indptr))
            # Everyone's rows by person, dense: a sparse look-up of each took half of an audit.
            rows_WP = inside[whole].toarray()
            is_wholly_inside = inside.data == rows_WP[which_S[of_set], inside.indices]
            wholly_S = np.bincount(of_set[is_wholly_inside], minlength=self.sets)
            rest_SD[:, d] = self.people_SD[self.everyone_S, d] - wholly_S
        return rest_SD

    def _by_person(self, row_KN: sparse.csr_array, denominator: int) -> sparse.csr_array:
        kept = np.flatnonzero(self.denominator_DN[denominator])
        rows_by_person = sparse.csr_array(
            (np.ones(len(kept), np.int64), (kept, self.person_N[kept])),
            shape=(len(self.person_N), int(self.person_N.max()) + 1),
        )
        by_person = sparse.csr_array(abs(row_KN) @ rows_by_person)
        by_person.eliminate_zeros()
        return by_person


def small(people_KD: Counts) -> Bools:
    """Return which sets of people are too small to be shown, in any denominator.

    Nobody at all is nothing to hide; that nobody of many reached a milestone is.
    """
    return np.asarray((people_KD[:, 0] > 0) & (people_KD.min(axis=1) < MINIMUM_SHOWN))


def rows_each(person_N: NDArray[np.intp], horizon_N: NDArray[Any]) -> Counts:
    """Return how many rows the person of each row has: in all, and at the row's horizon, (2, N)."""
    _, day_N = np.unique(horizon_N, return_inverse=True)
    at_day_N = person_N * (int(day_N.max(initial=0)) + 1) + day_N
    return np.stack([np.bincount(number_N)[number_N] for number_N in (person_N, at_day_N)]).astype(
        np.int64
    )
