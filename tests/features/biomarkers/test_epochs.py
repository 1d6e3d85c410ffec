from __future__ import annotations

from collections.abc import Callable

import numpy as np

from features.biomarkers.epochs import minutes_of
from features.recording import Quantity, Signal


def test_the_minutes_hold_the_mean_amplitude_deviation(signal: Callable[..., Signal]) -> None:
    raw = np.zeros((12_000, 3))
    raw[:, 2] = 1 + 0.3 * np.sin(2 * np.pi * np.arange(12_000) / 100)
    minutes = minutes_of(signal(raw, Quantity.ACCELERATION, 100.0))
    # The mean of a rectified sine is 2 / pi of its height.
    np.testing.assert_allclose(minutes["mad_sum"] / minutes["n"], 0.3 * 2 / np.pi, rtol=0.01)
