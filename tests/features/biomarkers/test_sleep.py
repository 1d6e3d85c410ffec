from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.biomarkers import sleep


def test_sleep_is_the_longest_quiet_stretch_of_the_night_and_worn(
    minutes: Callable[[str, int], np.ndarray],
) -> None:
    time = minutes("2024-03-04T18:00", 18 * 60)
    hour = (np.arange(len(time)) / 60) + 18
    quiet = ((hour >= 23) & (hour < 31)) | ((hour >= 19) & (hour < 20))
    generator = np.random.default_rng(0)
    counts = np.where(quiet, 0, generator.integers(600, 3000, len(time))).astype(float)
    table = pd.DataFrame(
        {
            "time": time,
            "counts": counts,
            "is_worn": True,
            "placement": "left wrist",
            "device": "ActiGraph 1",
            "maker": "ActiGraph",
        }
    )
    flags = sleep.asleep(table)
    assert flags is not None
    assert flags.sum() / 60 == pytest.approx(8, abs=0.2)
    assert not flags[hour < 20].any()  # An hour on the sofa is no night.
    off = sleep.asleep(table.assign(is_worn=hour < 26))
    assert off is not None
    assert off.sum() / 60 == pytest.approx(3, abs=0.2)
    turned = table.assign(turn_deg=np.where(quiet, 1.0, 40.0))
    by_angle = sleep.asleep(turned)
    assert by_angle is not None
    assert by_angle.sum() / 60 == pytest.approx(8, abs=0.2)
    assert sleep.asleep(table.assign(placement="hip")) is None
    by_maker = sleep.asleep(table.assign(device="Actiwatch 1", maker="Actiwatch"))
    assert by_maker is not None
    assert by_maker.sum() / 60 == pytest.approx(8, abs=0.2)
