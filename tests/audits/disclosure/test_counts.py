"""How many forecasts there are in all, beside what is shown of parts of them."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from audits.disclosure.counts import forecasts_shown, may_count, people_shown
from contracts.predictions import HORIZON, ORIGIN, REACHED, SUBJECT, TRUTH


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


@given(
    observed=st.integers(min_value=11, max_value=60),
    lost=st.integers(min_value=0, max_value=30),
    outcome=st.sampled_from([TRUTH, f"{REACHED}walks alone"]),
)
def test_the_people_less_those_with_an_outcome_are_nobody_few(
    observed: int, lost: int, outcome: str
) -> None:
    outcomes = [1.0] * observed + [None] * lost
    table = pd.DataFrame({SUBJECT: range(observed + lost), outcome: outcomes}, dtype="float64")
    left = people_shown(table) - observed
    assert left == (0 if lost < 11 else lost)
    assert may_count(people_shown(table), table)
    assert may_count(observed + lost, table)
