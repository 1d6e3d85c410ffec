"""A time of another century is no time: it would wrap around to one of ours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.measurements.wall_clock import read_times

YEARS = ["2608-03-05", "4200-03-05", "1500-03-05", "0001-01-01"]


@pytest.mark.parametrize("written", YEARS)
def test_years_that_nanoseconds_cannot_hold_are_no_times(written: str) -> None:
    text = pd.Series([written, "2024-03-05", ""])
    times = read_times(text)
    assert np.isnat(times.time_N).tolist() == [True, False, True]
    assert times.bad_N.tolist() == [True, False, False]
    declared = read_times(pd.Series([written.replace("-", ".")]), form="YYYY.MM.DD")
    assert declared.bad_N.tolist() == [True]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_nor_are_those_of_a_typed_column(unit: str) -> None:
    times = np.array([*YEARS, "2024-03-05"], dtype=f"datetime64[{unit}]")
    found = read_times(pd.Series(times)).time_N
    assert np.isnat(found).tolist() == [True] * 4 + [False]
    zoned = read_times(pd.Series(times).dt.tz_localize("UTC")).time_N
    assert np.isnat(zoned).tolist() == [True] * 4 + [False]
