"""Sums of a metric by group and cluster, and how alike people of a cluster are.

Letters: S people, E entries (a person in a group), F cells (a group and a cluster), G groups, C
clusters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

AT_ONCE = 2_000_000
"""Sums of groups by clusters that are held in memory at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """People in the groups of a grouping, and what they have elsewhere.

    Parameters
    ----------
    groups
        Number of groups.
    group_E, subject_E
        Whose entry of which group it is.
    weight_E, value_E
        Share of the person's forecasts made in the group, and their mean there.
    away_E, elsewhere_E
        The same of those made outside of it; a weight of 0 where there are none.
    value_S, counted_S
        Everybody's mean, and whether there is one.
    """

    groups: int
    group_E: Index
    subject_E: Index
    weight_E: Array
    value_E: Array
    away_E: Array
    elsewhere_E: Array
    value_S: Array
    counted_S: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Sums by group and cluster of weights, their squares, and weighted values, (G, C) each."""

    weight_GC: Array
    squared_GC: Array
    value_GC: Array

    @staticmethod
    def of(key_E: Index, weight_E: Array, value_E: Array, shape: tuple[int, int]) -> Side:
        """Sum entries by their cell of an array of that shape."""
        terms = (weight_E, weight_E**2, weight_E * value_E)
        size = shape[0] * shape[1]
        weight, squared, value = (
            np.asarray(np.bincount(key_E, e_E, size), dtype=np.float64).reshape(shape)
            for e_E in terms
        )
        return Side(weight_GC=weight, squared_GC=squared, value_GC=value)

    def plus(self, other: Side, sign: int) -> Side:
        """Add the sums of others, or take them away."""
        return Side(
            weight_GC=self.weight_GC + sign * other.weight_GC,
            squared_GC=self.squared_GC + sign * other.squared_GC,
            value_GC=self.value_GC + sign * other.value_GC,
        )


def by_cluster(
    members: Members, number_S: Index, clusters: int
) -> Iterator[tuple[Side, Side, slice]]:
    """Yield the sums of some groups and of their rests, with which groups they are."""
    counted_S = members.counted_S
    everyone = Side.of(
        number_S[counted_S], np.ones(int(counted_S.sum())), members.value_S[counted_S],
        (1, clusters),
    )  # fmt: skip
    width = max(1, AT_ONCE // clusters)
    for start in range(0, members.groups, width):
        end = min(start + width, members.groups)
        shape = (end - start, clusters)
        of_E = np.flatnonzero((members.group_E >= start) & (members.group_E < end))
        subject_E = members.subject_E[of_E]
        key_E = (members.group_E[of_E] - start) * clusters + number_S[subject_E]
        inside = Side.of(key_E, members.weight_E[of_E], members.value_E[of_E], shape)
        whole = Side.of(key_E, np.ones(len(of_E)), members.value_S[subject_E], shape)
        away = Side.of(key_E, members.away_E[of_E], np.nan_to_num(members.elsewhere_E[of_E]), shape)
        yield inside, everyone.plus(whole, -1).plus(away, 1), slice(start, end)


def correlation(members: Members, group_F: Index, entry_E: Index) -> float:
    """Return how alike people of a cluster are within their group: pooled, between 0 and 1.

    The estimator of the one-way analysis of variance, nested in groups.
    """
    weight_E, value_E = members.weight_E, members.value_E
    cells, groups = len(group_F), members.groups
    weight_F, sum_F, square_F = (
        np.bincount(entry_E, weight_E * power_E, cells)
        for power_E in (np.ones_like(value_E), value_E, value_E**2)
    )
    weight_G, sum_G, sizes_G = (
        np.bincount(group_F, each_F, groups) for each_F in (weight_F, sum_F, weight_F**2)
    )
    held_G = weight_G > 0
    of_between = cells - int(held_G.sum())
    of_within = len(entry_E) - cells
    if of_between < 1 or of_within < 1:
        return 0.0
    within = max(float((square_F - sum_F**2 / weight_F).sum()), 0.0) / of_within
    between = float((sum_F**2 / weight_F).sum() - (sum_G**2)[held_G] @ (1 / weight_G[held_G]))
    between = max(between, 0.0) / of_between
    size = (weight_G.sum() - (sizes_G[held_G] / weight_G[held_G]).sum()) / of_between
    total = between + (size - 1) * within
    return float(np.clip((between - within) / total, 0.0, 1.0)) if total > 0 else 0.0
