"""Observed against forecast: whether a subject is still on the course that was forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from serving.course import Course, CoursePoint
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.monitoring.course import off_course
from serving.monitoring.words import sentence
from serving.schemas import ForecastAnswer

ALERT_DAYS = 14
"""Days outside the 80 % range on one side after which somebody should look at the patient."""


def course(question: Question, served: ServedModel, *, now: datetime, alert_days: int) -> Course:
    """Compare observed scores with the forecast from the first landmark that allows one.

    The forecast is the current champion's, from only what was known at that landmark.

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
        if answer is None:
            raise ForecastRefused(
                "nothing was observed up to the last landmark", "assess the patient first"
            )
        raise ForecastRefused(answer.reason, answer.what_to_do)
    scores = sorted(
        (observation.day_since_onset - question.enrolment_day, observation.value)
        for observation in question.observations
        if observation.code == task.target.code
        and observation.day_since_onset is not None
        and observation.value is not None
        and observation.day_since_onset - question.enrolment_day > answer.origin_day
    )
    points = [_point(answer, day, value) for day, value in scores]
    outside = days_outside(points)
    left = off_course(
        points, outside, enrolment_day=question.enrolment_day, target=task.target,
        alert_days=alert_days,
    )  # fmt: skip
    return Course(
        subject=question.subject,
        forecast=answer,
        points=points,
        days_outside=outside,
        alert="" if left is None else sentence(left, better=task.target.better),
    )


def days_outside(points: Sequence[CoursePoint]) -> int:
    """Return the days from the first to the last of the latest scores outside on one side.

    A single score outside counts as one day: one in five is outside even if the forecast is right.
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
        observation
        for observation in observations
        if observation.day_since_onset is None or observation.day_since_onset <= day
    ]


def _point(answer: ForecastAnswer, day: int, observed: float) -> CoursePoint:
    """Interpolate the forecast at a day; before the first horizon, with the width at the first."""
    days = [float(horizon.day_after_enrolment) for horizon in answer.horizons]
    median = [horizon.median for horizon in answer.horizons]
    below = [horizon.median - horizon.low_80 for horizon in answer.horizons]
    above = [horizon.high_80 - horizon.median for horizon in answer.horizons]
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
