"""Weeks of a running record say what the sets say that they were made from."""

from __future__ import annotations

import pytest

from contracts.exercise import codes
from contracts.observation import Observation
from features.adherence.days import daily_values
from features.adherence.observed import observe
from inference.twin.exercise_record import weeks_on_record
from tests.simulated_exercise import PROGRAMME, START, days_of, set_file


def test_weeks_are_those_of_the_sets() -> None:
    sets = [*days_of(range(7), well=8, badly=2), *days_of(range(7, 14), well=5)]
    record = [
        Observation(code=each.code, value=each.value, day_since_onset=(each.day - START).days)
        for each in daily_values(observe(PROGRAMME, set_file(sets)))
    ]
    last, before = weeks_on_record(record)[:2]
    assert (last.last, last.days, last.repetitions) == (13, 7, 142)
    assert (last.adherence, last.as_shown) == (pytest.approx(142 / 212), 1.0)
    assert (before.adherence, before.repetitions) == (1.0, 212)
    assert before.as_shown == pytest.approx((14 * 8 + 72) / 212)
    assert before.range_part == pytest.approx(1.1)


def test_a_record_without_exercise_has_no_week_and_a_lone_day_no_adherence() -> None:
    steps = Observation(code="LOINC//41950-7", value=3000.0, day_since_onset=4)
    assert weeks_on_record([steps]) == ()
    day = Observation(code=codes.REPETITIONS, value=20.0, day_since_onset=4)
    (week,) = weeks_on_record([steps, day])
    assert (week.days, week.adherence, week.as_shown) == (1, None, None)
