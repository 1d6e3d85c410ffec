from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.biomarkers import gait
from features.recording import Quantity, Signal


def walk(step_hz: float, seconds: int, rate: float = 100.0) -> np.ndarray:
    t = np.arange(int(seconds * rate)) / rate
    beat = 2 * np.pi * step_hz * t
    generator = np.random.default_rng(0)
    vertical = 0.98 + 0.25 * np.sin(beat) + 0.12 * np.sin(2 * beat + 0.6)
    sideways = 0.1 * np.sin(beat / 2)
    forward = 0.15 * np.sin(beat + 0.9) + 0.05 * np.sin(2 * beat)
    return np.stack([vertical, sideways, forward], axis=1) + generator.normal(0, 0.02, (len(t), 3))


def test_gait_of_a_metronome_walk(signal: Callable[..., Signal]) -> None:
    pytest.importorskip("skdh")
    rest = np.array([1.0, 0, 0]) + np.random.default_rng(1).normal(0, 0.005, (6000, 3))
    values = np.concatenate([rest, walk(1.9, 180), rest])
    strides = gait.strides_of(
        signal(values, Quantity.ACCELERATION, 100.0, "lower back"), height_m=1.7
    )
    found = gait.daily_gait(strides).set_index("code")["numeric_value"]
    assert found[gait.STEPS] == pytest.approx(1.9 * 180, rel=0.03)
    assert found["REHABCAST//CADENCE"] == pytest.approx(60 * 1.9, rel=0.03)
    assert found["REHABCAST//WALKING_BOUTS"] == 1
    assert found["REHABCAST//WALKING_TIME"] == pytest.approx(3, abs=0.2)
    assert found["REHABCAST//STRIDE_TIME_VARIABILITY"] < 3
    assert found["REHABCAST//STEP_ASYMMETRY"] < 3
    assert 0.5 < found["REHABCAST//GAIT_SPEED"] < 2.5
    nobody = gait.strides_of(signal(rest, Quantity.ACCELERATION, 100.0, "lower back"))
    assert gait.daily_gait(nobody).empty


def test_a_day_in_two_pieces_has_the_gait_of_both(signal: Callable[..., Signal]) -> None:
    pytest.importorskip("skdh")
    rest = np.array([1.0, 0, 0]) + np.random.default_rng(1).normal(0, 0.005, (6000, 3))
    walks = [np.concatenate([rest, walk(hz, 120), rest]) for hz in (1.7, 2.1)]
    morning, evening = (signal(w, Quantity.ACCELERATION, 100.0, "lower back") for w in walks)
    evening = replace(evening, time_N=evening.time_N + np.timedelta64(6, "h"))
    strides = pd.concat([gait.strides_of(morning), gait.strides_of(evening)], ignore_index=True)
    found = gait.daily_gait(strides).set_index("code")["numeric_value"]
    assert found[gait.STEPS] == pytest.approx(120 * (1.7 + 2.1), rel=0.03)
    assert found["REHABCAST//WALKING_BOUTS"] == 2
    assert found["REHABCAST//WALKING_TIME"] == pytest.approx(4, abs=0.3)
