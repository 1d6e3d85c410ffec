"""Fits a forest of decision trees (scikit-learn), and brings it into arrays.

As in Breiman 2001, but that each tree is grown without some of the people, so that what it says of
people whom it has not learned from is known without another forest.

Letters: as in `inference.exercise.forest`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from inference.exercise.forest import LEAF, Forest

TREES, PARTS = 160, 8
"""How many trees, and in how many parts people are left out of them by turns."""


def fit_forest(
    values_WF: NDArray[np.float32],
    exercise_W: NDArray[np.int64],
    person_W: NDArray[np.int64],
    seed: int,
) -> tuple[Forest, NDArray[np.float64]]:
    """Return a forest, and the chances of each window by trees without its person, (W, E)."""
    generator = np.random.default_rng(seed)
    exercises = int(exercise_W.max()) + 1
    part_W = np.unique(person_W, return_inverse=True)[1] % PARTS
    parts = int(part_W.max()) + 1
    left_out_WE = np.empty((len(values_WF), exercises))
    trees = []
    for part in range(parts):
        others = np.flatnonzero(part_W != part)
        own = []
        for number in range(part, TREES, parts):
            drawn = generator.choice(others, len(others))
            fitted = DecisionTreeClassifier(max_features="sqrt", random_state=seed + number)
            own.append(as_arrays(fitted.fit(values_WF[drawn], exercise_W[drawn]), exercises))
        left_out_WE[part_W == part] = _joined(own).chances(values_WF[part_W == part])
        trees += own
    return _joined(trees), left_out_WE


def as_arrays(fitted: DecisionTreeClassifier, exercises: int) -> Forest:
    """Return a fitted tree as a forest of one, of exercises some of which it may not have seen."""
    tree = fitted.tree_
    is_leaf_N = tree.children_left < 0
    share_NE = np.zeros((tree.node_count, exercises), dtype=np.float32)
    share_NE[:, fitted.classes_] = tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True)
    return Forest(
        root_R=np.zeros(1, dtype=np.int32),
        feature_N=np.where(is_leaf_N, LEAF, tree.feature).astype(np.int32),
        # Of what is compared in single precision the next number below decides the same.
        threshold_N=_rounded_down(tree.threshold),
        below_N=np.where(is_leaf_N, 0, tree.children_left).astype(np.int32),
        above_N=np.where(is_leaf_N, 0, tree.children_right).astype(np.int32),
        share_NE=share_NE,
    )


def _rounded_down(threshold_N: NDArray[np.float64]) -> NDArray[np.float32]:
    near_N = threshold_N.astype(np.float32)
    return np.where(near_N > threshold_N, np.nextafter(near_N, np.float32(-np.inf)), near_N)


def _joined(trees: list[Forest]) -> Forest:
    first = np.cumsum([0, *(len(each.feature_N) for each in trees)])
    moved = list(zip(trees, first, strict=False))
    return Forest(
        root_R=first[:-1].astype(np.int32),
        feature_N=np.concatenate([each.feature_N for each in trees]),
        threshold_N=np.concatenate([each.threshold_N for each in trees]),
        below_N=np.concatenate([each.below_N + at for each, at in moved]).astype(np.int32),
        above_N=np.concatenate([each.above_N + at for each, at in moved]).astype(np.int32),
        share_NE=np.concatenate([each.share_NE for each in trees]),
    )
