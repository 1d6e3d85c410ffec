"""Of which day a question is: a table of what a caller may send."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from serving.forecast.dates import day_asked

NOW = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
TODAY = NOW.date()
SCORE = "REHABCAST//FUGL_MEYER_UE"


def scores(*days: int) -> list[Observation]:
    return [Observation(code=SCORE, day_since_onset=day, value=20.0) for day in days]


@pytest.mark.parametrize(
    ("onset", "as_of", "newest", "asked"),
    [
        (None, None, 30, None),
        (date(2026, 3, 1), None, 5, 9),
        (date(2026, 3, 1), date(2026, 3, 4), 9, 3),
        # It is tomorrow already where the newest score was taken; a later one is a slip or a plan.
        (date(2026, 3, 1), None, 10, 10),
        (date(2026, 3, 1), None, 11, 9),
        (TODAY, None, 0, 0),
    ],
)
def test_a_question_is_of_today_unless_it_says_another_day(
    onset: date | None, as_of: date | None, newest: int, asked: int | None
) -> None:
    assert day_asked(onset, as_of, scores(0, newest), NOW) == asked


@pytest.mark.parametrize(
    ("onset", "as_of", "words"),
    [
        (None, TODAY, "no date of onset"),
        (date(2026, 3, 1), date(2026, 3, 12), "still to come"),
        (date(2026, 3, 1), date(2026, 2, 28), "before the onset"),
        (date(2026, 3, 12), None, "still to come"),
        (date.max, None, "still to come"),
    ],
)
def test_no_day_is_guessed(onset: date | None, as_of: date | None, words: str) -> None:
    with pytest.raises(ForecastRefused, match=words):
        day_asked(onset, as_of, scores(3), NOW)


@given(st.dates(), st.none() | st.dates(), st.lists(st.integers(0, 40_000), max_size=3))
def test_any_dates_give_a_day_of_the_past_or_a_refusal(
    onset: date, as_of: date | None, days: list[int]
) -> None:
    try:
        asked = day_asked(onset, as_of, scores(*days), NOW)
    except ForecastRefused:
        return
    assert asked is not None
    assert asked >= 0
    assert onset + timedelta(days=asked) <= TODAY + timedelta(days=1)
