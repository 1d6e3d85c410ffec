"""Adherence is the share of what was prescribed for days that are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.exercise import Span
from features.adherence.days import daily_values
from features.adherence.observed import Observed, observe
from features.adherence.weeks import ExerciseWeek, adherence_of, exercise_week, weeks_of
from tests.simulated_exercise import PROGRAMME, ROTATION, SLIDE, a_set, day, days_of, set_file


def week_of(observed: Observed, last: int) -> ExerciseWeek:
    found = exercise_week(observed, ROTATION, day(last))
    assert found is not None
    return found


def test_a_week_as_prescribed_is_all_of_it() -> None:
    observed = observe(PROGRAMME, set_file(days_of(range(14))))
    first, second = weeks_of(observed, ROTATION)
    assert (first.last, second.last) == (day(13), day(6))
    assert (first.sets, first.repetitions, first.adherence) == (14, 140, 1.0)
    slide = exercise_week(observed, SLIDE, day(6))
    assert slide is not None
    assert (slide.sets, slide.repetitions, slide.adherence) == (6, 72, 1.0)


def test_twice_on_one_day_makes_up_for_no_other_day_and_one_exercise_for_no_other() -> None:
    every_other = observe(PROGRAMME, set_file(days_of(range(0, 7, 2), sets=4)), day(6))
    assert week_of(every_other, 6).repetitions == 160
    assert week_of(every_other, 6).adherence == pytest.approx(4 / 7)
    only_slides = [a_set(n, SLIDE, 12, hour=9 + h) for n in range(7) for h in range(4)]
    observed = observe(PROGRAMME, set_file(only_slides), day(6))
    weeks = [exercise_week(observed, each, day(6)) for each in (ROTATION, SLIDE)]
    assert adherence_of(week for week in weeks if week) == pytest.approx(72 / (72 + 140))


def test_the_first_six_days_have_no_week() -> None:
    observed = observe(PROGRAMME, set_file(days_of(range(14))))
    assert exercise_week(observed, ROTATION, day(5)) is None
    assert exercise_week(observed, ROTATION, day(14)) is None, "nobody knows it yet"


@pytest.mark.parametrize(("known", "adherence"), [(4, 1.0), (3, None)])
def test_too_few_known_days_say_nothing_and_others_count_alone(
    known: int, adherence: float | None
) -> None:
    at = datetime.combine(day(0), datetime.min.time())
    spans = [Span(start=at + timedelta(days=n, hours=7), end=at + timedelta(days=n, hours=20))
             for n in (*range(known - 1), 6)]  # fmt: skip
    all_day = PROGRAMME.model_copy(update={"recording": "all day"})
    file = set_file(days_of([*range(known - 1), 6]), tuple(spans))
    assert week_of(observe(all_day, file), 6).adherence == adherence


@settings(max_examples=30, deadline=None)
@given(
    done=st.lists(st.integers(0, 25), min_size=7, max_size=7),
    others=st.lists(st.integers(0, 3), min_size=7, max_size=7),
)
def test_adherence_is_a_share_and_never_falls_by_doing_more(
    done: list[int], others: list[int]
) -> None:
    sets = [a_set(n, ROTATION, count) for n, count in enumerate(done)]
    before = week_of(observe(PROGRAMME, set_file(sets), day(6)), 6)
    more = [a_set(n, ROTATION, count, hour=18) for n, count in enumerate(others)]
    after = week_of(observe(PROGRAMME, set_file([*sets, *more]), day(6)), 6)
    assert before.adherence is not None
    assert after.adherence is not None
    assert 0 <= before.adherence <= after.adherence <= 1
    assert before.adherence == pytest.approx(sum(min(count, 20) for count in done) / 140)


def test_days_have_values_of_what_is_known_and_only_those() -> None:
    sets = days_of(range(7), well=8, badly=2)
    unmeasured = [
        replace(each, repetitions=tuple(replace(one, range_deg=None) for one in each.repetitions))
        for each in days_of([7])
    ]
    values = daily_values(observe(PROGRAMME, set_file([*sets, *unmeasured]), day(8)))
    by_day = {
        n: {v.code.rpartition("_")[2]: v.value for v in values if v.day == day(n)}
        for n in (0, 6, 7, 8)
    }
    assert by_day[0] == {
        "REPETITIONS": 32, "QUALITY": pytest.approx(28 / 32), "RANGE": pytest.approx(1.1),
        "PACE": pytest.approx(1.2), "SMOOTHNESS": -2.0, "IRREGULARITY": pytest.approx(0),
        "FATIGUE": pytest.approx(1 - 0.7 / 1.1),
    }  # fmt: skip
    assert by_day[6]["ADHERENCE"] == 1.0
    assert set(by_day[7]) == {"ADHERENCE", "REPETITIONS", "PACE", "SMOOTHNESS", "IRREGULARITY"}
    assert by_day[8] == {"ADHERENCE": pytest.approx((120 + 60) / 212), "REPETITIONS": 0.0}
