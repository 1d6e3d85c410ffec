from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.measurements.wall_clock import read_times


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(["9999-12-31", "0001-01-01", "2024-03-05"]),
        pd.Series(np.array(["9999-12-31", "0001-01-01", "2024-03-05"], dtype="datetime64[us]")),
        pd.Series([pd.Timestamp("9999-12-31").as_unit("us").to_pydatetime(),
                   pd.Timestamp("1600-01-01").as_unit("us").to_pydatetime(),
                   pd.Timestamp("2024-03-05").to_pydatetime()], dtype=object),
    ],
)  # fmt: skip
def test_a_year_that_can_not_be_held_is_no_other_year(cells: pd.Series) -> None:
    times = read_times(cells)
    assert times.bad_N.tolist() == [True, True, False]
    assert str(times.time_N[2].astype("datetime64[D]")) == "2024-03-05"


@pytest.mark.parametrize(
    ("form", "cell", "bad", "other"),
    [
        ("DD.MM.YYYY", "05.03.2024", False, False),
        ("DD.MM.YYYY", "2024-03-05", True, True),
        ("DD.MM.YYYY", "03/25/2024", True, True),
        ("DD.MM.YYYY", "soon", True, False),
        ("", "05.03.2024", True, True),
        ("", "2024-02-30", True, False),
        ("", "2024-04", True, False),
        ("", "2024", True, False),
    ],
)
def test_a_column_in_another_order_is_told_from_a_wrong_cell(
    form: str, cell: str, bad: bool, other: bool
) -> None:
    times = read_times(pd.Series([cell, ""]), form=form)
    assert (times.bad_N[0], times.other_order_N[0]) == (bad, other)
    assert not times.bad_N[1]
