"""Exercise at home is watched as therapy is: against its plan, and never as a sign of life."""

from __future__ import annotations

import pytest

from contracts.exercise import codes
from serving.monitoring.alert import Kind
from serving.monitoring.daily import daily_alerts
from serving.monitoring.series import PLANS, series_of
from serving.monitoring.words import sentence
from tests.serving.monitoring.records import observed
from tests.serving.monitoring.test_daily import STEPS, alerts, days


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (days(1, 56, 0.3, 0.2, 0.45), True),
        (days(1, 40, 0.9) | days(41, 56, 0.2), True),
        (days(1, 56, 0.3, 0.2, 0.55), False),
        (days(1, 56, 0.9, 1.0), False),
    ],
)
def test_a_programme_that_is_not_kept_is_told(share: dict[int, float], told: bool) -> None:
    done = {day: 200.0 * value for day, value in share.items()}
    found = alerts({codes.ADHERENCE: share, codes.REPETITIONS: done}, 56)
    assert [(alert.kind, alert.code) for alert in found.values()] == [
        (Kind.THERAPY, codes.ADHERENCE)
    ] * told


def test_a_programme_that_was_never_kept_has_its_own_sentence() -> None:
    (alert,) = alerts({codes.ADHERENCE: days(20, 56, 0.1)}, 56).values()
    assert "Of the prescribed exercise 10 % took place on 37 days since day 20" in sentence(alert)


def test_therapy_and_exercise_that_stop_are_both_told() -> None:
    both = {code: days(1, 56, 0.1) for code in PLANS}
    assert {alert.code for alert in daily_alerts(series_of(observed(both), 56))} == set(PLANS)


def test_a_day_without_exercise_is_no_sign_of_life_of_a_wearable() -> None:
    walked = days(5, 32, 4500, 5200, 4800, 5000)
    nothing_done = {codes.REPETITIONS: days(5, 44, 0.0), codes.ADHERENCE: days(11, 44, 0.9)}
    found = alerts({STEPS: walked, **nothing_done}, 44)
    assert found["no data"].days_now == 12
