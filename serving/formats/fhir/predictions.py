"""FHIR R4 out: predictions of a RiskAssessment, of scores and of chances."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from contracts.task import Target
from contracts.vocabulary import vocabulary
from serving.schemas import ForecastAnswer, HorizonForecast
from serving.whatif import PlanHorizon

OUTCOMES = "urn:rehabcast:outcome"
"""System of the codes of what is forecast: milestones, and scores that nobody has measured."""

FORECAST_SCORE = "urn:rehabcast:extension:forecast-score"
"""Extension of a prediction, which has no element for a score: `median` (Quantity), `interval`
(Range), and `coverage`, the share of people who end up inside (Quantity in %). An Observation would
come back through a search for scores as if somebody had measured it."""

UCUM = "http://unitsofmeasure.org"

Forecast = HorizonForecast | PlanHorizon
"""A forecast at one horizon, as it is or under a plan."""


def predictions(
    answer: ForecastAnswer, forecast: Forecast, day: date | None, target: Target
) -> list[dict[str, Any]]:
    """Return the score at a horizon, and the chance of each milestone by then.

    Parameters
    ----------
    day
        The date of the horizon, where it is known.
    """
    return [
        _score(answer, forecast, day, target),
        *(
            chance(name, name, share, period(answer.as_of, day))
            for name, share in forecast.milestones.items()
        ),
    ]


def _score(
    answer: ForecastAnswer, forecast: Forecast, day: date | None, target: Target
) -> dict[str, Any]:
    name = answer.instrument.partition(",")[0]
    parts = [
        {"url": "median", "valueQuantity": in_points(forecast.median, target)},
        between("interval", forecast.low_80, forecast.high_80, target),
        {"url": "coverage", "valueQuantity": percent(80)},
    ]
    return {
        "extension": [{"url": FORECAST_SCORE, "extension": parts}],
        "outcome": outcome(f"{target.code.rpartition('/')[2]} score", f"{name}, score forecast"),
        **period(day, day),
    }


def in_points(value: float, target: Target) -> dict[str, Any]:
    """Return a number in the unit of the score as a Quantity."""
    unit = vocabulary()[target.code].unit
    words = {"unit": unit.strip("{}")} if unit else {}
    coded = {"system": UCUM, "code": unit} if unit else {}
    return {"value": round(value, 4), **words, **coded}


def between(url: str, low: float, high: float, target: Target) -> dict[str, Any]:
    """Return an extension that holds a range in the unit of the score."""
    return {
        "url": url,
        "valueRange": {"low": in_points(low, target), "high": in_points(high, target)},
    }


def chance(name: str, words: str, share: float, when: dict[str, Any]) -> dict[str, Any]:
    """Return the prediction that something happens.

    Parameters
    ----------
    name, words
        What it is, for its code and for people.
    share
        0 to 1.
    when
        Of `period`.
    """
    # In per cent and as a Range, which nobody takes for a fraction (R4, ras-1 and ras-2).
    bound = percent(round(100 * share, 1))
    return {
        "outcome": outcome(name, words), "probabilityRange": {"low": bound, "high": bound}, **when
    }  # fmt: skip


def percent(value: float) -> dict[str, Any]:
    """Return per cent as a Quantity."""
    return {"value": value, "unit": "%", "system": UCUM, "code": "%"}


def outcome(name: str, words: str) -> dict[str, Any]:
    """Return what is forecast, coded in our own system."""
    code = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return {"coding": [{"system": OUTCOMES, "code": code, "display": words}], "text": words}


def period(start: date | None, end: date | None) -> dict[str, Any]:
    """Return the element that says when; empty where no date is known."""
    days = {"start": start, "end": end}
    known = {name: day.isoformat() for name, day in days.items() if day is not None}
    return {"whenPeriod": known} if known else {}
