from __future__ import annotations

import numpy as np

from inference.exercise.forest import LEAF, Forest

FOREST = Forest(
    root_R=np.array([0, 3], dtype=np.int32),
    feature_N=np.array([1, LEAF, LEAF, LEAF], dtype=np.int32),
    threshold_N=np.array([0.5, 0, 0, 0], dtype=np.float32),
    below_N=np.array([1, 0, 0, 0], dtype=np.int32),
    above_N=np.array([2, 0, 0, 0], dtype=np.int32),
    share_NE=np.array([[0.5, 0.5], [1, 0], [0, 1], [0.5, 0.5]], dtype=np.float32),
)
"""A tree that asks once, and one that asks nothing."""


def test_a_window_gets_the_mean_of_the_leaves_that_it_reaches() -> None:
    values_WF = np.array([[9, 0.5], [9, 0.6]], dtype=np.float32)
    assert FOREST.chances(values_WF).tolist() == [[0.75, 0.25], [0.25, 0.75]]


def test_without_windows_there_is_nothing_to_say() -> None:
    assert FOREST.chances(np.empty((0, 2), dtype=np.float32)).shape == (0, 2)
