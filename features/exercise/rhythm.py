"""How a limb's movement repeats itself: the channels that count, and their period.

Letters: T samples, C channels, L lags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.exercise.motion import RATE_HZ, has_rotation
from features.exercise.windows import DEG_A_UNIT, slow

Array = NDArray[np.float64]

SMOOTH_HZ = 2.0
SHORTEST_S, LONGEST_S = 0.8, 6.0
"""Of a repetition (local): faster is shaking, and slower is lost in what a limb does anyway."""

SEEN, AS_STRONG = 0.6, 0.75
"""Longest lag as a share of the set, and how strong the first peak is, of the strongest."""


def movement(values_T6: NDArray[np.float32]) -> Array:
    """Return smoothed acceleration and, where there was a gyroscope, rotation about their means."""
    measured = 6 if has_rotation(values_T6) else 3
    scaled_TC = values_T6[:, :measured] / np.array([1, 1, 1, *[DEG_A_UNIT] * 3])[:measured]
    smooth_TC = slow(scaled_TC, SMOOTH_HZ)
    return np.asarray(smooth_TC - smooth_TC.mean(axis=0))


def likeness(moved_TC: Array, lags: int) -> Array:
    """Return the correlation of the movement with itself by lag, (L); no lag is as long as it."""
    samples = len(moved_TC)
    spectrum = np.fft.rfft(moved_TC, 2 * samples, axis=0)
    shared_L = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=1))[:lags]
    shared_L = shared_L / (samples - np.arange(lags))
    return np.asarray(shared_L / max(float(shared_L[0]), 1e-12))


def period(moved_TC: Array) -> int | None:
    """Return the samples from repetition to repetition; None where nothing repeats itself."""
    lags = min(int(LONGEST_S * RATE_HZ), int(SEEN * len(moved_TC)))
    shortest = int(SHORTEST_S * RATE_HZ)
    if lags <= shortest + 1:
        return None
    like_L = likeness(moved_TC, lags)
    inner = like_L[1:-1]
    peaks = np.flatnonzero((inner >= like_L[:-2]) & (inner > like_L[2:])) + 1
    peaks = peaks[peaks >= shortest]
    if not len(peaks) or like_L[peaks].max() <= 0:
        return None
    return int(peaks[like_L[peaks] >= AS_STRONG * like_L[peaks].max()][0])
