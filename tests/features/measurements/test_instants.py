"""Times of different offsets, compared: `wall_clock.read_instants`."""

from __future__ import annotations

import pandas as pd

from features.measurements.wall_clock import read_instants


def test_instants_are_in_utc_and_need_an_offset() -> None:
    written = ["2024-03-05T10:30:00+02:00", "2024-03-05T03:30:00-05:00", "2024-03-05T08:30:00Z",
               "2024-03-05T14:00:00+0530"]  # fmt: skip
    assert set(read_instants(pd.Series(written))) == {pd.Timestamp("2024-03-05T08:30").to_numpy()}
    assert pd.isna(read_instants(pd.Series(["", "2024-03-05", "2024-03-05T08:30:00", "x"]))).all()
