"""A course, as answers carry it: observed scores beside the forecasts made before them."""

from __future__ import annotations

from serving.schemas import ForecastAnswer, Strict


class CoursePoint(Strict, frozen=True, kw_only=True):
    """An observed score beside the forecast that was made before it."""

    day_after_enrolment: int
    observed: float
    low_80: float
    median: float
    high_80: float
    inside: bool


class Course(Strict, frozen=True, kw_only=True):
    """Observed against forecast, and whether the course has left its range."""

    subject: str
    forecast: ForecastAnswer
    points: list[CoursePoint]
    days_outside: int
    alert: str
