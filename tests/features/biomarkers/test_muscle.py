from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from contracts.errors import ContractError
from features.biomarkers import muscle
from features.recording import Quantity, Signal


def test_muscle_measures_on_signals_of_known_content(signal: Callable[..., Signal]) -> None:
    rate, seconds = 1000.0, 60
    t = np.arange(int(rate * seconds)) / rate
    generator = np.random.default_rng(0)
    sine = 100 * np.sin(2 * np.pi * 90 * t)
    np.testing.assert_allclose(muscle.median_frequency(sine, rate), 90, atol=1)
    # A rectified sine has the mean 2 / pi of its height.
    assert muscle.envelope(sine, rate)[5000:-5000].mean() == pytest.approx(200 / np.pi, rel=0.02)
    assert muscle.fatigue_slope(90 - 6 * np.arange(60) / 60) == pytest.approx(-6)
    burst = np.where(np.arange(len(t)) // 1000 % 2 == 0, 1.0, 0.0)
    noise = generator.normal(0, 100, len(t))
    one, other = muscle.envelope(noise * burst, rate), muscle.envelope(noise * (1 - burst), rate)
    assert muscle.co_contraction(one, one) == pytest.approx(1)
    assert muscle.co_contraction(one, other) < 0.25
    day = muscle.daily_muscle(signal(np.stack([sine, sine], axis=1), Quantity.MUSCLE, rate))
    assert set(day["code"]) == {
        muscle.ACTIVITY, muscle.MEDIAN, muscle.FATIGUE, muscle.CO_CONTRACTION,
    }  # fmt: skip
    with pytest.raises(ContractError, match="200 Hz or more"):
        muscle.daily_muscle(signal(sine, Quantity.MUSCLE, 50.0))
