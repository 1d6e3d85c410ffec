"""The cells of a report, as sets of rows of the prediction table, and the sums that bind them.

A cell is a group of people (everyone, a group, or an intersection of two) over all horizons or at
one. A published mean times its count is a sum over the cell's rows, and sums add up: an attribute's
groups to everyone, intersections to the group, horizons to all horizons. Each such equation is a
`Line`. Cells of the same rows are one set, because who is told one is told the other.

Letters: N rows, S sets, P people, K sets asked about, D denominators.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from audits.measure.groups import EVERYONE, Grouping
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
    """An equation: the sums of the children add up to that of the parent. Indices of sets."""

    parent: int
    children: tuple[int, ...]


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
    denominator_DN
        Rows of each denominator that a number may have: all of them first, then, for a milestone,
        those that reached it, those that did not, and those forecast to reach it.
    """

    set_of: dict[Cell, int]
    row_SN: sparse.csr_array
    lines: tuple[Line, ...]
    attributes_of: dict[str, int]
    person_N: NDArray[np.intp]
    denominator_DN: Bools

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
            denominator_DN=np.ones((1, len(held)), dtype=np.bool_),
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
        for d in range(len(self.denominator_DN)):
            inside = self._by_person(self.row_SN, d)
            of_set = np.repeat(np.arange(self.sets), np.diff(inside.indptr))
            whole = inside[self.everyone_S][of_set, inside.indices]
            wholly = np.bincount(of_set[inside.data == whole], minlength=self.sets)
            rest_SD[:, d] = self.people_SD[self.everyone_S, d] - wholly
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


def cells_of(
    groupings: Sequence[Grouping],
    person_N: NDArray[Any],
    horizon_N: NDArray[Any],
    slices: Iterable[tuple[int | None, Sequence[str]]],
    denominator_DN: Bools,
) -> Cells:
    """Lay out the cells of a quantity.

    Parameters
    ----------
    groupings
        Everyone, the attributes and the intersections, of the rows that the quantity counts.
    person_N, horizon_N
        Person and horizon of each of these rows.
    slices
        Horizons (None is all) with the axes that are shown at them; everyone is one of them.
    denominator_DN
        As in `Cells`.
    """
    _, person_N = np.unique(person_N, return_inverse=True)
    of_axis = {grouping.axis: grouping for grouping in groupings}
    cells: list[Cell] = []
    rows: list[NDArray[np.intp]] = []
    for day, axes in slices:
        counted_N = np.ones(len(person_N), bool) if day is None else horizon_N == day
        for grouping in (of_axis[axis] for axis in axes):
            for group, label in enumerate(grouping.labels_G):
                held = np.flatnonzero(counted_N & (grouping.group_N == group))
                if len(held):
                    cells.append(Cell(axis=grouping.axis, group=label, horizon_day=day))
                    rows.append(held)
    row_CN = sparse.csr_array(
        (
            np.ones(sum(map(len, rows)), np.int64),
            np.concatenate([*rows, np.empty(0, np.intp)]).astype(np.intp),
            np.cumsum([0, *map(len, rows)]),
        ),
        shape=(len(rows), len(person_N)),
    )
    set_C, first = _same_rows(row_CN)
    set_of = dict(zip(cells, set_C.tolist(), strict=True))
    return Cells(
        set_of=set_of,
        row_SN=sparse.csr_array(row_CN[first]),
        lines=tuple(_lines(set_of, groupings)),
        attributes_of={grouping.axis: len(grouping.attributes) for grouping in groupings},
        person_N=person_N,
        denominator_DN=denominator_DN,
    )


def _same_rows(row_CN: sparse.csr_array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the number of each cell's set, in order of appearance, and the first cell of each."""
    numbers: dict[bytes, int] = {}
    first: list[int] = []
    of_cell = []
    for cell in range(row_CN.shape[0]):
        held = row_CN.indices[row_CN.indptr[cell] : row_CN.indptr[cell + 1]].tobytes()
        if held not in numbers:
            numbers[held] = len(first)
            first.append(cell)
        of_cell.append(numbers[held])
    return np.array(of_cell, dtype=np.intp), np.array(first, dtype=np.intp)


def _lines(set_of: dict[Cell, int], groupings: Sequence[Grouping]) -> Iterator[Line]:
    """Yield every equation once; one whose only child is the parent itself says nothing."""
    children: dict[tuple[Cell, str], list[int]] = {}
    of_axis = {grouping.axis: grouping for grouping in groupings}
    parts_of = {grouping.axis: _parts(grouping, of_axis) for grouping in groupings}
    for cell, number in set_of.items():
        day = cell.horizon_day
        for axis, group, by in parts_of[cell.axis].get(cell.group, ()):
            parent = Cell(axis=axis, group=group, horizon_day=day)
            children.setdefault((parent, by), []).append(number)
        if day is not None:
            parent = Cell(axis=cell.axis, group=cell.group)
            children.setdefault((parent, "horizons"), []).append(number)
    seen = set()
    for (parent, _), found in children.items():
        line = Line(parent=set_of.get(parent, -1), children=tuple(sorted(set(found))))
        if line.parent >= 0 and line.children != (line.parent,) and line not in seen:
            seen.add(line)
            yield line


def _parts(
    grouping: Grouping, of_axis: dict[str, Grouping]
) -> dict[str, tuple[tuple[str, str, str], ...]]:
    """Return the cells that each group is a part of: axis, group, and by what that is divided."""
    if not grouping.attributes:
        return {}
    if len(grouping.attributes) == 1:
        return {g: ((EVERYONE, EVERYONE, grouping.axis),) for g in grouping.labels_G}
    # By a row and not by the label: a group's name may itself hold the sign between two.
    present_G, row_G = np.unique(grouping.group_N, return_index=True)
    one, other = (of_axis[name] for name in grouping.attributes)
    return {
        grouping.labels_G[group]: (
            (one.axis, one.labels_G[one.group_N[row]], other.axis),
            (other.axis, other.labels_G[other.group_N[row]], one.axis),
        )
        for group, row in zip(present_G, row_G, strict=True)
    }
