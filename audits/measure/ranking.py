"""AUROC of many groups under many weightings at once: one sort, then running sums.

Letters: N rows, G groups, R weightings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """Forecast chances to be ranked, with their outcomes.

    Parameters
    ----------
    chance_N, reached_N
        Chance of the milestone, and whether it was reached.
    group_N, groups
        Group of each row, and how many there are.
    weight_NR
        Weight of each row under each weighting.
    """

    chance_N: NDArray[np.float64]
    reached_N: NDArray[np.bool_]
    group_N: NDArray[np.intp]
    groups: int
    weight_NR: NDArray[np.float64]


def auroc(chances: Chances) -> NDArray[np.float64]:
    """Return the area under the ROC curve of each group, (G, R); ties count half.

    The share of pairs, one who reached the milestone and one who did not, that the chances order
    correctly (Hanley and McNeil 1982), each pair weighted by the product of its two weights; NaN
    for a group without such a pair.
    """
    return _share(*_concordant_and_all(chances))


def auroc_in_group_and_rest(
    chances: Chances,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the AUROC of each group, and of everyone outside the group, (G, R) each.

    The pairs of the rest are all pairs, minus those with a member in the group, plus those with
    two, which were subtracted twice. So everyone is ranked once instead of once per group.
    """
    within_GR, pairs_GR = _concordant_and_all(chances)
    order = np.argsort(chances.chance_N, kind="stable")
    member_GN = (chances.group_N[order] == np.arange(chances.groups)[:, None]).astype(np.float64)
    positive_NR = chances.weight_NR[order] * chances.reached_N[order, None]
    negative_NR = chances.weight_NR[order] - positive_NR
    first_N, last_N = _ties(np.diff(chances.chance_N[order]) != 0, len(order))
    before_NR = _running(negative_NR)
    below_NR = (before_NR[first_N] + before_NR[last_N]) / 2
    before_NR = _running(positive_NR)
    above_NR = before_NR[-1] - (before_NR[first_N] + before_NR[last_N]) / 2
    as_positive_GR = member_GN @ (positive_NR * below_NR)
    as_negative_GR = member_GN @ (negative_NR * above_NR)
    concordant_GR = as_positive_GR.sum(axis=0) - as_positive_GR - as_negative_GR + within_GR
    positive_GR, negative_GR = member_GN @ positive_NR, member_GN @ negative_NR
    other_positive_GR = positive_GR.sum(axis=0) - positive_GR
    other_negative_GR = negative_GR.sum(axis=0) - negative_GR
    return _share(within_GR, pairs_GR), _share(concordant_GR, other_positive_GR * other_negative_GR)


def _concordant_and_all(chances: Chances) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weight of each group's concordant pairs, and of all its pairs, (G, R)."""
    order = np.lexsort((chances.chance_N, chances.group_N))
    chance_N, group_N = chances.chance_N[order], chances.group_N[order]
    positive_NR = chances.weight_NR[order] * chances.reached_N[order, None]
    negative_NR = chances.weight_NR[order] - positive_NR
    before_NR = _running(negative_NR)
    first_N, last_N = _ties((np.diff(chance_N) != 0) | (np.diff(group_N) != 0), len(order))
    edge_G = np.searchsorted(group_N, np.arange(chances.groups + 1))
    below_NR = (before_NR[first_N] + before_NR[last_N]) / 2 - before_NR[edge_G[group_N]]
    concordant_GR = _sums(positive_NR * below_NR, edge_G)
    return concordant_GR, _sums(positive_NR, edge_G) * _sums(negative_NR, edge_G)


def _share(
    concordant_GR: NDArray[np.float64], pairs_GR: NDArray[np.float64]
) -> NDArray[np.float64]:
    area_GR = np.full(pairs_GR.shape, np.nan)
    np.divide(concordant_GR, pairs_GR, out=area_GR, where=pairs_GR > 0)
    return area_GR


def _ties(differs_N: NDArray[np.bool_], rows: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where each row's run of ties begins, and where the next run does."""
    is_new_N = np.ones(rows, dtype=np.bool_)
    is_new_N[1:] = differs_N
    first_T = np.flatnonzero(is_new_N)
    tie_N = is_new_N.cumsum() - 1
    return first_T[tie_N], np.append(first_T[1:], rows)[tie_N]


def _running(values_NR: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of the rows before each row; the last entry is the total."""
    return np.concatenate([np.zeros((1, values_NR.shape[1])), values_NR.cumsum(axis=0)])


def _sums(values_NR: NDArray[np.float64], edge_G: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the sum of each group's rows, (G, R); rows are sorted by group."""
    has_rows_G = edge_G[:-1] < edge_G[1:]
    total_GR = np.zeros((len(has_rows_G), values_NR.shape[1]))
    total_GR[has_rows_G] = np.add.reduceat(values_NR, edge_G[:-1][has_rows_G], axis=0)
    return total_GR
