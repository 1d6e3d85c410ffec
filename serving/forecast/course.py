"""Observed against forecast: whether a subject is still on the course that was foretold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from serving.forecast.audit_status import Served
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.schemas import Course, CoursePoint, ForecastAnswer

ALERT_DAYS = 14
"""Days outside the 80 % range on one side after which someone should look."""


def course(question: Question, served: Served, *, now: datetime, alert_days: int) -> Course:
    """Hold what was observed against the forecast from the first landmark that allows one.

    The forecast is the present champion's, from what was known at that landmark alone.

    Raises
    ------
    ForecastRefused
        No forecast can be given at any landmark.
    """
    task = served.bundle.task
    answer: ForecastAnswer | None = None
    for origin in task.origins_days:
        known = _until(question.observations, question.enrolment_day + origin)
        if known:
            answer = respond(replace(question, observations=known), served, now=now)
        if answer is not None and answer.status == "forecast":
            break
    if answer is None or answer.status != "forecast" or answer.origin_day is None:
        why = f"{answer.reason}: {answer.what_to_do}" if answer is not None else "nothing is known"
        raise ForecastRefused(why)
    scores = sorted(
        (each.day_since_onset - question.enrolment_day, each.value)
        for each in question.observations
        if each.code == task.target.code
        and each.day_since_onset is not None
        and each.value is not None
        and each.day_since_onset - question.enrolment_day > answer.origin_day
    )
    points = [_point(answer, day, value) for day, value in scores]
    outside = days_outside(points)
    alert = (
        f"the score has been outside the range that holds for 8 in 10 for {outside} days: look at"
        " the patient, not at the model"
        if outside >= alert_days
        else ""
    )
    return Course(
        subject=question.subject, forecast=answer, points=points, days_outside=outside, alert=alert
    )


def days_outside(points: Sequence[CoursePoint]) -> int:
    """Return the days from the first to the last of the latest scores outside on one side.

    A single score outside is one day: one in five is, even when all goes as foretold.
    """
    run: list[CoursePoint] = []
    for point in reversed(points):
        if point.inside or (run and _side(point) != _side(run[0])):
            break
        run.append(point)
    return run[0].day_after_enrolment - run[-1].day_after_enrolment + 1 if run else 0


def _side(point: CoursePoint) -> bool:
    return point.observed > point.high_80


def _until(observations: Sequence[Observation], day: int) -> list[Observation]:
    return [
        each for each in observations if each.day_since_onset is None or each.day_since_onset <= day
    ]


def _point(answer: ForecastAnswer, day: int, observed: float) -> CoursePoint:
    """Read the forecast at a day: linear between horizons, as wide as at the first before it."""
    days = [float(each.day_after_enrolment) for each in answer.horizons]
    median = [each.median for each in answer.horizons]
    below = [each.median - each.low_80 for each in answer.horizons]
    above = [each.high_80 - each.median for each in answer.horizons]
    origin, last = float(answer.origin_day or 0), float(answer.last_score or 0)
    middle = float(np.interp(day, [origin, *days], [last, *median]))
    low = middle - float(np.interp(day, days, below))
    high = middle + float(np.interp(day, days, above))
    return CoursePoint(
        day_after_enrolment=day,
        observed=observed,
        low_80=low,
        median=middle,
        high_80=high,
        inside=low <= observed <= high,
    )
