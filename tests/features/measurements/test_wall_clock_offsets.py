"""Written offsets, fixed zones, and the sleep to which an interval belongs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.measurements.wall_clock import read_times, sleep_episodes, to_wall_clock


def test_the_wall_clock_less_its_offset_is_the_instant() -> None:
    written = ["2024-03-05T10:00:00+01:00", "2024-03-05 04:00:00 -0500", "2024-03-05T09:00Z", ""]
    for zone in ("", "Asia/Kolkata"):
        times = read_times(pd.Series([*written, "2024-03-05"], dtype=object), zone=zone)
        instants = times.time_N - times.offset_N
        assert (instants[:3] == np.datetime64("2024-03-05T09:00")).all()
        assert np.isnat(times.offset_N[3:]).all()
    zoned = pd.Series(pd.to_datetime(written[:3], utc=True, format="ISO8601"))
    for zone in ("", "Asia/Kolkata"):
        times = read_times(zoned, zone=zone)
        assert (times.time_N - times.offset_N == np.datetime64("2024-03-05T09:00")).all()


@pytest.mark.parametrize("zone", ["GMT+0530", "UTC+05:30", "Asia/Kolkata"])
def test_a_zone_may_be_a_fixed_offset(zone: str) -> None:
    utc = np.array(["2024-03-05T20:00"], dtype="datetime64[ns]")
    assert to_wall_clock(utc, zone)[0] == np.datetime64("2024-03-06T01:30")


def test_pieces_of_a_sleep_belong_together_until_an_hour_lies_between() -> None:
    hour = 3600 * 10**9
    start = np.array([8, 0, 3, 3]) * hour
    end = np.array([9, 2, 7, 7]) * hour
    group = np.array([0, 0, 0, 1])
    began, ended = sleep_episodes(group, start, end)
    assert (began // hour).tolist() == [8, 0, 3, 3]
    began, ended = sleep_episodes(group, np.where(start, start - 1, 0), end)
    assert (ended // hour).tolist() == [9, 9, 9, 7]
    assert (-(-began // hour)).tolist() == [0, 0, 0, 3]
