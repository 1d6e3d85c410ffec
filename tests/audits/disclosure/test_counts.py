"""How many forecasts there are in all, beside what is shown of parts of them."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from audits.disclosure.counts import forecasts_shown
from contracts.predictions import HORIZON, ORIGIN, SUBJECT


@given(
    at_first=st.integers(min_value=11, max_value=400),
    missing=st.integers(min_value=0, max_value=10),
    horizons=st.integers(min_value=2, max_value=4),
)
def test_the_forecasts_less_those_of_shown_horizons_count_nobody_few(
    at_first: int, missing: int, horizons: int
) -> None:
    rows = [
        (person, 0, day)
        for day in range(horizons)
        for person in range(at_first - missing * (day == horizons - 1))
    ]
    table = pd.DataFrame(rows, columns=[SUBJECT, ORIGIN, HORIZON])
    # The last horizon's cell is hidden where it leaves few over; all others are shown.
    assert forecasts_shown(table) == (len(table) if missing == 0 else None)
