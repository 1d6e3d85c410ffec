from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.measurements.device_clocks import (
    ANY_CLOCK,
    FACTORY_DATES,
    DeviceClock,
    impossible_times,
)

HOURS = np.arange(48) * np.timedelta64(1, "h")


def recorded(start: str) -> np.ndarray:
    return (np.datetime64(start, "ns") + HOURS).astype("datetime64[ns]")


@pytest.mark.parametrize(
    "start",
    ["1970-01-01", "1980-01-06", "1989-12-31", "1990-01-01T09:30", "1999-12-31T19:00",
     "2000-01-01", "2001-01-01T00:12", "2010-01-01"],
)  # fmt: skip
def test_a_recording_that_begins_with_a_factory_date_is_undated(start: str) -> None:
    times = recorded(start)
    assert impossible_times(times, ANY_CLOCK, dates_shifted=False).all()
    assert not impossible_times(times, ANY_CLOCK, dates_shifted=True).any()


@pytest.mark.parametrize("start", ["1990-03-01", "2000-01-03", "2009-12-30", "2024-01-01"])
def test_any_other_recording_is_dated(start: str) -> None:
    assert not impossible_times(recorded(start), ANY_CLOCK, dates_shifted=False).any()


@given(order=st.permutations(range(96)), start=st.sampled_from(FACTORY_DATES))
def test_what_follows_once_the_clock_is_set_counts_in_any_order(
    order: list[int], start: str
) -> None:
    times = np.concatenate([recorded(start), recorded("2024-03-04")])[order]
    wrong = impossible_times(times, ANY_CLOCK, dates_shifted=False)
    assert (wrong == (times < np.datetime64("2024-01-01"))).all()


def test_no_device_recorded_before_its_kind_was_made() -> None:
    clock = DeviceClock(since="2008-01-01", factory_dates=())
    times = np.concatenate([recorded("2007-12-31"), recorded("2010-01-01")])
    wrong = impossible_times(times, clock, dates_shifted=False)
    assert wrong.sum() == 24
    assert wrong[:24].all()
