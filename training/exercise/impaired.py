"""SIMULATED impairments: what a set of a healthy person becomes by a declared transformation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.exercise.motion import RATE_HZ
from features.exercise.repetitions import repetitions
from training.exercise.fit import paced

Array = NDArray[np.float32]

SLOWER, SMALLER, STOP_S = 2.0, 0.6, 0.4
"""Of the time, of the movement, and of each stop: declared, and measured of nobody."""


def slow(values_T6: Array) -> Array:
    """Return a set done at half the pace, as with bradykinesia."""
    return paced(values_T6, SLOWER)


def small(values_T6: Array) -> Array:
    """Return a set of 0.6 of its movement about where the limb is held: weakness, pain."""
    held_6 = np.concatenate([values_T6[:, :3].mean(axis=0), np.zeros(3)]).astype(np.float32)
    return (held_6 + SMALLER * (values_T6 - held_6)).astype(np.float32)


def interrupted(values_T6: Array) -> Array:
    """Return a set that stops twice in each repetition, on its way: broken movement."""
    spans = repetitions(values_T6)
    return stopped_at(values_T6, [a + (b - a) * n // 4 for a, b in spans for n in (1, 3)])


def stopped_at(values_T6: Array, stops: Sequence[int]) -> Array:
    """Return a set in which the limb rests for a moment at each of some samples."""
    parts = []
    for first, last in zip([0, *stops], [*stops, len(values_T6)], strict=True):
        parts.append(values_T6[first:last])
        if last < len(values_T6):
            still = np.repeat(values_T6[last : last + 1], int(STOP_S * RATE_HZ), axis=0)
            still[:, 3:] = 0
            parts.append(still)
    return np.concatenate(parts)


IMPAIRMENTS: Mapping[str, Callable[[Array], Array]] = {
    "slow": slow, "small": small, "interrupted": interrupted,
}  # fmt: skip
