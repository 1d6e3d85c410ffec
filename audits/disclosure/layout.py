"""Lays out the cells of a report, and finds the equations between them.

Letters: N rows, S sets, C cells, G groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from audits.disclosure.cells import Bools, Cell, Cells, Line, rows_each
from audits.measure.groups import EVERYONE, Grouping

HORIZONS = "horizons"
"""By what the cells over all horizons are divided."""


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
    rows_each_2N = rows_each(person_N, horizon_N)
    of_axis = {grouping.axis: grouping for grouping in groupings}
    cells: list[Cell] = []
    rows: list[NDArray[np.intp]] = []
    weighed: list[bytes] = []
    for day, axes in slices:
        counted_N = np.ones(len(person_N), bool) if day is None else horizon_N == day
        for grouping in (of_axis[axis] for axis in axes):
            for group, label in enumerate(grouping.labels_G):
                held = np.flatnonzero(counted_N & (grouping.group_N == group))
                if len(held):
                    cells.append(Cell(axis=grouping.axis, group=label, horizon_day=day))
                    rows.append(held)
                    weighed.append(rows_each_2N[int(day is not None), held].tobytes())
    row_CN = sparse.csr_array(
        (
            np.ones(sum(map(len, rows)), np.int64),
            np.concatenate([*rows, np.empty(0, np.intp)]).astype(np.intp),
            np.cumsum([0, *map(len, rows)]),
        ),
        shape=(len(rows), len(person_N)),
    )
    set_C, first = _same_sums(rows, weighed)
    set_of = dict(zip(cells, set_C.tolist(), strict=True))
    return Cells(
        set_of=set_of,
        row_SN=sparse.csr_array(row_CN[first]),
        lines=tuple(_lines(set_of, groupings)),
        attributes_of={grouping.axis: len(grouping.attributes) for grouping in groupings},
        person_N=person_N,
        horizon_N=horizon_N,
        denominator_DN=denominator_DN,
    )


def _same_sums(
    rows: Sequence[NDArray[np.intp]], weighed: Sequence[bytes]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the number of each cell's set, in order of appearance, and the first cell of each."""
    numbers: dict[tuple[bytes, bytes], int] = {}
    first: list[int] = []
    of_cell = []
    for cell, (held, weights) in enumerate(zip(rows, weighed, strict=True)):
        key = (held.tobytes(), weights)
        if key not in numbers:
            numbers[key] = len(first)
            first.append(cell)
        of_cell.append(numbers[key])
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
            children.setdefault((parent, HORIZONS), []).append(number)
    seen = set()
    for (parent, by), found in children.items():
        line = Line(
            parent=set_of.get(parent, -1),
            children=tuple(sorted(set(found))),
            by_horizon=by == HORIZONS,
        )
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
