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


def strides(start: str, count: int, device: str, piece: str) -> pd.DataFrame:
    begin = pd.Timestamp(start).timestamp()
    return pd.DataFrame(
        {
            "time": begin, "duration": 2.0 * count, "stride_time": 1.0, "step_time": 0.5,
            "cadence": 110.0, "speed": 1.0, "device": device, "piece": piece,
        },
        index=range(count),
    )  # fmt: skip


def test_a_bout_in_two_files_is_walked_once_and_the_device_worn_longer_counts() -> None:
    whole = strides("2024-03-04T10:00", 20, "lower back a", "one 0")
    copy = whole.assign(piece="two 0")
    # Another piece of the recording begins inside the bout and sees less of it.
    part = strides("2024-03-04T10:00:10", 15, "lower back a", "three 0")
    later = strides("2024-03-04T12:00", 10, "lower back a", "three 0")
    loud = strides("2024-03-04T10:00", 90, "lower back b", "four 0")
    minutes = pd.DataFrame(
        {
            "placement": "lower back", "device": ["a"] * 3 + ["b"], "n": 6000.0,
            "time": pd.date_range("2024-03-04T10:00", periods=4, freq="min"),
        }
    )  # fmt: skip
    found = gait.daily_gait(pd.concat([part, whole, copy, later, loud]), minutes)
    by_device = found[found["code"] == gait.STEPS].sort_values("samples")
    assert by_device["numeric_value"].tolist() == [90, 30]
    assert by_device["samples"].tolist() == [1, 3]
