"""AUROC of many groups under many weightings at once: one sort, then running sums.

Letters: N rows, G groups, R weightings.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def auroc(
    chance_N: NDArray[np.float64],
    reached_N: NDArray[np.bool_],
    group_N: NDArray[np.intp],
    weight_NR: NDArray[np.float64],
    *,
    groups: int,
) -> NDArray[np.float64]:
    """Return the area under the ROC curve of each group, (G, R); ties count half.

    The share of pairs, one who reached it and one who did not, that the chances order rightly
    (Hanley and McNeil 1982), each pair weighted by the product of its two weights. NaN for a group
    without such a pair.
    """
    order = np.lexsort((chance_N, group_N))
    chance_N, group_N = chance_N[order], group_N[order]
    positive_NR = weight_NR[order] * reached_N[order, None]
    negative_NR = weight_NR[order] - positive_NR
    # Running sum of the negatives before each row; row N holds the total.
    before_NR = np.concatenate([np.zeros((1, weight_NR.shape[1])), negative_NR.cumsum(axis=0)])
    is_new_N = np.ones(len(order), dtype=np.bool_)
    is_new_N[1:] = (np.diff(chance_N) != 0) | (np.diff(group_N) != 0)
    tie_N = is_new_N.cumsum() - 1
    first_T = np.flatnonzero(is_new_N)
    last_T = np.append(first_T[1:], len(order))
    edge_G = np.searchsorted(group_N, np.arange(groups + 1))
    below_NR = before_NR[first_T][tie_N] - before_NR[edge_G[group_N]]
    tied_NR = (before_NR[last_T] - before_NR[first_T])[tie_N]
    right_GR = _sums(positive_NR * (below_NR + tied_NR / 2), edge_G)
    pairs_GR = _sums(positive_NR, edge_G) * _sums(negative_NR, edge_G)
    area_GR = np.full(pairs_GR.shape, np.nan)
    np.divide(right_GR, pairs_GR, out=area_GR, where=pairs_GR > 0)
    return area_GR


def _sums(values_NR: NDArray[np.float64], edge_G: NDArray[np.intp]) -> NDArray[np.float64]:
    total_NR = np.concatenate([np.zeros((1, values_NR.shape[1])), values_NR.cumsum(axis=0)])
    return np.asarray(total_NR[edge_G[1:]] - total_NR[edge_G[:-1]])
