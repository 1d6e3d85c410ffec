"""A forest of decision trees as arrays, so that what was fitted elsewhere runs without unpickling.

Letters: N nodes of all trees, R trees, W windows, F features, E exercises.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAF = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """Trees, one after the other.

    Parameters
    ----------
    root_R
        First node of each tree.
    feature_N, threshold_N
        What a node asks: whether this feature is at most that; -1 where it is a leaf.
    below_N, above_N
        Nodes that come next, if so and if not.
    share_NE
        Share of each exercise among what was learned from in a node.
    """

    root_R: NDArray[np.int32]
    feature_N: NDArray[np.int32]
    threshold_N: NDArray[np.float32]
    below_N: NDArray[np.int32]
    above_N: NDArray[np.int32]
    share_NE: NDArray[np.float32]

    def chances(self, values_WF: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the mean over trees of the shares in the leaf that each window reaches, (W, E)."""
        window_W1 = np.arange(len(values_WF))[:, None]
        node_WR = np.broadcast_to(self.root_R, (len(values_WF), len(self.root_R)))
        while ((asked_WR := self.feature_N[node_WR]) != LEAF).any():
            is_below_WR = values_WF[window_W1, asked_WR] <= self.threshold_N[node_WR]
            next_WR = np.where(is_below_WR, self.below_N[node_WR], self.above_N[node_WR])
            node_WR = np.where(asked_WR == LEAF, node_WR, next_WR)
        return np.asarray(self.share_NE[node_WR].mean(axis=1, dtype=np.float64))
