"""Sums over people as whole numbers: exact, and the same in any order and division into sites.

Each person's value is rounded to 2^-24 before it is added. Letters: S people, G groups, K sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audits.federated.agreement import Axis, Layout
from audits.federated.people import Counted, SitePeople

Ints = NDArray[np.int64]
ONE = float(2**24)
"""What 1 is as a whole number."""

MOMENTS = 4
"""Sums of every number: people, rows, values, squared values; then people by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSums:
    """Sums over the people of each group.

    Parameters
    ----------
    people_G, rows_G, value_G, square_G
        People and rows that count, and sums of the people's values and of their squares.
    sides
        People on each side of a milestone; none without one.
    """

    people_G: NDArray[np.float64]
    rows_G: NDArray[np.float64]
    value_G: NDArray[np.float64]
    square_G: NDArray[np.float64]
    sides: tuple[NDArray[np.float64], ...]


def sums_of(site: SitePeople, layout: Layout) -> Ints:
    """Return a site's sums in the order of the layout, (K,)."""
    by_key = {each.summed.key: each for each in site.counted}
    found = [
        sums_KG.ravel()
        for axis in layout.axes
        for group_S in (_groups(site, axis),)
        for key in axis.keys
        for sums_KG in (_summed(by_key[key], group_S, len(axis.labels_G)),)
    ]
    return np.concatenate(found)


def read_sums(total_K: Ints, layout: Layout, sides: dict[str, int]) -> Iterator[
    tuple[Axis, str, GroupSums]
]:  # fmt: skip
    """Yield the sums of each number by axis.

    Parameters
    ----------
    sides
        How many sides each number has.
    """
    start = 0
    for axis in layout.axes:
        for key in axis.keys:
            shape = (MOMENTS + sides[key], len(axis.labels_G))
            end = start + shape[0] * shape[1]
            people_G, rows_G, value_G, square_G, *of_sides = total_K[start:end].reshape(shape)
            start = end
            yield axis, key, GroupSums(
                people_G=people_G.astype(np.float64), rows_G=rows_G.astype(np.float64),
                value_G=value_G / ONE, square_G=square_G / ONE,
                sides=tuple(side_G.astype(np.float64) for side_G in of_sides),
            )  # fmt: skip


def length_of(layout: Layout, sides: dict[str, int]) -> int:
    """Return how many sums a layout has."""
    return sum(
        (MOMENTS + sides[key]) * len(axis.labels_G) for axis in layout.axes for key in axis.keys
    )


def _groups(site: SitePeople, axis: Axis) -> NDArray[np.intp]:
    labels = zip(*(site.labels[name].tolist() for name in axis.attributes), strict=True)
    if not axis.attributes:
        return np.zeros(len(site.forecast_S), dtype=np.intp)
    return np.array([axis.group_of[label] for label in labels], dtype=np.intp)


def _summed(counted: Counted, group_S: NDArray[np.intp], groups: int) -> Ints:
    counts_S, *sides = counted.sets.values()
    value_S = np.where(counts_S, counted.value_S, 0.0)
    terms = [
        counts_S, counted.rows_S, np.rint(value_S * ONE), np.rint(value_S**2 * ONE), *sides
    ]  # fmt: skip
    sums_KG = np.zeros((len(terms), groups), dtype=np.int64)
    for sums_G, term_S in zip(sums_KG, terms, strict=True):
        # Whole numbers, added as such: floats would round beyond 2^53.
        np.add.at(sums_G, group_S, term_S.astype(np.int64))
    return sums_KG
