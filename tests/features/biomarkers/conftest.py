from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from features.recording import Quantity, Signal

START = np.datetime64("2024-03-04T10:00:00", "ns")


@pytest.fixture(scope="session")
def signal() -> Callable[..., Signal]:
    """Makes a signal of one subject, evenly sampled from `START` on."""

    def make(values: np.ndarray, quantity: Quantity, rate: float, placement: str = "") -> Signal:
        step = np.arange(len(values)) * (1e9 / rate)
        return Signal(
            subject_label="x",
            quantity=quantity,
            time_N=START + step.round().astype("timedelta64[ns]"),
            values_NC=values.astype(np.float32).reshape(len(values), -1),
            epoch_s=1 / rate,
            placement=placement,
        )

    return make


@pytest.fixture(scope="session")
def minutes() -> Callable[[str, int], np.ndarray]:
    """Makes the times of minutes in a row."""

    def make(start: str, count: int) -> np.ndarray:
        return np.datetime64(start, "ns") + np.arange(count) * np.timedelta64(60, "s")

    return make
