"""Observed against forecast, worked out by hand on a forecast that is easy to follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from serving.course import Course, CoursePoint
from serving.forecast import course as course_module
from serving.forecast.audit_status import ServedModel
from serving.forecast.course import course
from serving.forecast.question import Question
from serving.forecast.respond import refused
from serving.schemas import ForecastAnswer, HorizonForecast
from tests.refusals import refuses

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SCORE = "REHABCAST//FUGL_MEYER_UE"


def horizon(day: int, low: float, median: float, high: float) -> HorizonForecast:
    return HorizonForecast(
        weeks=day // 7, day_after_enrolment=day, median=median, low_80=low, high_80=high,
        quantiles={}, milestones={}, last_observation=20, proportional_recovery=52,
    )  # fmt: skip


@pytest.fixture
def forecast(served: ServedModel, monkeypatch: pytest.MonkeyPatch) -> ForecastAnswer:
    """From 20 points on day 0 to 40 on day 21 and 50 on day 42; other answers are refused."""
    horizons = [horizon(21, 30, 40, 45), horizon(42, 30, 50, 60)]
    answer = msgspec.structs.replace(
        refused("P", served, ForecastRefused("too little", "wait")),
        status="forecast", origin_day=0, last_score=20.0, horizons=horizons,
    )  # fmt: skip
    asked: list[Question] = []

    def respond(question: Question, *_: Any, **__: Any) -> ForecastAnswer:
        asked.append(question)
        return answer

    monkeypatch.setattr(course_module, "respond", respond)
    monkeypatch.setattr(course_module, "asked", asked, raising=False)
    return answer


def observed(*scores: tuple[int, float], enrolled: int = 10) -> Question:
    """Scores by day after enrolment, and what is not compared: an age, and steps."""
    others = [
        Observation(code="REHABCAST//AGE", value=70.0),
        Observation(code="LOINC//41950-7", day_since_onset=enrolled + 30, value=99.0),
    ]
    own = [Observation(code=SCORE, day_since_onset=enrolled + day, value=v) for day, v in scores]
    return Question(subject="P", enrolment_day=enrolled, observations=[*own, *others])


def compared(served: ServedModel, *scores: tuple[int, float], alert_days: int = 14) -> Course:
    return course(observed(*scores), served, now=NOW, alert_days=alert_days)


def test_a_score_is_compared_with_the_forecast_of_its_day(
    served: ServedModel, forecast: ForecastAnswer
) -> None:
    got = compared(served, (42, 61), (0, 20), (7, 20), (21, 45), (28, 31), (100, 29))
    assert got.forecast is forecast
    # The widths of the first horizon also hold before it, those of the last one after it.
    assert [msgspec.structs.astuple(point) for point in got.points] == [
        (7, 20, pytest.approx(20 + 20 / 3 - 10), pytest.approx(20 + 20 / 3), pytest.approx(20 + 20 / 3 + 5), True),
        (21, 45, 30, 40, 45, True),
        (28, 31, pytest.approx(30), pytest.approx(40 + 10 / 3), pytest.approx(50), True),
        (42, 61, 30, 50, 60, False),
        (100, 29, 30, 50, 60, False),
    ]  # fmt: skip
    assert (got.subject, got.days_outside, got.alert) == ("P", 1, "")


def test_only_what_was_known_at_the_landmark_is_asked_about(
    served: ServedModel, forecast: ForecastAnswer
) -> None:
    compared(served, (0, 20), (1, 21))
    (question,) = course_module.asked  # type: ignore[attr-defined]
    assert [o.day_since_onset for o in question.observations] == [10, None]


@pytest.mark.parametrize(
    ("scores", "days"),
    [
        ([], 0),
        ([(42, 50)], 0),
        ([(42, 61)], 1),
        ([(42, 61), (49, 61), (55, 61)], 14),
        ([(42, 61), (48, 50), (55, 61)], 1),
        ([(42, 61), (55, 10)], 1),
        ([(42, 10), (55, 10)], 14),
        ([(42, 61), (55, 61), (60, 50)], 0),
    ],
)
def test_days_outside_on_one_side_raise_an_alert(
    served: ServedModel, forecast: ForecastAnswer, scores: list[tuple[int, float]], days: int
) -> None:
    got = compared(served, *scores)
    assert got.days_outside == days
    assert bool(got.alert) is (days >= 14)
    assert all(isinstance(point, CoursePoint) for point in got.points)
    if got.alert:
        side = "above" if scores[-1][1] > 50 else "below"
        assert f"has been {side} the range that holds for 8 in 10 patients for 14 days" in got.alert
        assert compared(served, *scores, alert_days=15).alert == ""


def test_without_a_forecast_it_says_why(served: ServedModel) -> None:
    late = Question(
        subject="P", enrolment_day=10,
        observations=[Observation(code=SCORE, day_since_onset=900, value=20.0)],
    )  # fmt: skip
    with refuses(ForecastRefused):
        course(late, served, now=NOW, alert_days=14)
    status = replace(served.audit_status, valid_until=NOW)
    with refuses(ForecastRefused):
        course(observed((0, 20)), replace(served, audit_status=status), now=NOW, alert_days=14)
