"""The day of a forecast, for any days with measurements and any day asked about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ForecastRefused
from contracts.task import Task
from features.past.day import forecast_day, latest_origin


@given(
    st.lists(st.integers(-50, 120), max_size=6),
    st.lists(st.integers(-50, 120), max_size=3),
    st.sampled_from([None, 0.0]),
)
def test_a_forecast_is_made_on_the_latest_day_that_still_sees_a_score(
    task: Task, other_days: list[int], scored_days: list[int], assumed: float | None
) -> None:
    task = task.model_copy(update={"target": task.target.model_copy(update={"assumed": assumed})})
    measured = [*other_days, *scored_days]
    days = [day for day in range(task.last_origin_day + 1) if any(day <= d for d in measured)]
    past = task.inputs.past_days
    seeing = [d for d in days if assumed is not None or any(d - past < s <= d for s in scored_days)]
    found = latest_origin(task, np.array(measured, dtype=int), np.array(scored_days, dtype=int))
    assert found == max(seeing or days, default=None)


@given(
    st.lists(st.integers(-50, 300), max_size=6),
    st.lists(st.integers(-50, 300), max_size=3),
    st.none() | st.integers(-60, 400),
)
def test_a_forecast_is_of_the_day_that_is_asked_about_and_passes_over_no_score(
    task: Task, other_days: list[int], scored_days: list[int], as_of: int | None
) -> None:
    measured = np.array([*other_days, *scored_days], dtype=int)
    scored, past = np.array(scored_days, dtype=int), task.inputs.past_days
    asked = max(measured.max(initial=-1), -1) if as_of is None else as_of
    known = scored[scored <= asked]
    too_old = len(known) > 0 and asked - known.max() >= past and as_of is not None
    began = bool(((measured >= 0) & (measured <= asked)).any())
    if asked > task.last_origin_day or not began or too_old:
        with pytest.raises(ForecastRefused):
            forecast_day(task, measured, scored, as_of)
        return
    day = forecast_day(task, measured, scored, as_of)
    assert day <= task.last_origin_day
    assert day == asked if as_of is not None else day <= asked
    seen = scored[(scored > day - past) & (scored <= day)]
    assert seen.max(initial=-99) == known.max(initial=-99) or not len(seen)


@pytest.mark.parametrize(("first", "as_of"), [(0, -3), (7, 3), (7, 6)])
def test_a_day_before_the_first_landmark_is_named_as_the_reason(
    task: Task, first: int, as_of: int
) -> None:
    """Something was measured by then, or nobody looked: neither is why there is no forecast."""
    task = task.model_copy(update={"origins_days": (first, 21)})
    days = np.array([0, 5])
    with pytest.raises(ForecastRefused, match=f"day {as_of} .*from day {first}"):
        forecast_day(task, days, days, as_of)
