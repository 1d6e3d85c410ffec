"""The day that a forecast starts from, or why there is none of that day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ForecastRefused
from contracts.task import Task
from contracts.vocabulary import vocabulary

NEVER = int(np.iinfo(np.int32).min)
"""Day of something that did not happen, before every day."""


def nothing_measured() -> ForecastRefused:
    """Return the refusal of a record without a measurement since enrolment."""
    return ForecastRefused("nothing was measured from enrolment on", "assess the patient first")


def no_score(task: Task, origin: int) -> ForecastRefused:
    """Return the refusal of a record without a score of the target before the forecast's day."""
    name = vocabulary()[task.target.code].name
    return ForecastRefused(
        f"no {name} score in the {task.inputs.past_days} days up to day {origin}"
        " after enrolment, where this forecast starts",
        "assess the patient first",
    )


def score_too_old(task: Task, origin: int, scored: int) -> ForecastRefused:
    """Return the refusal of a record whose newest score says nothing of the day of the forecast."""
    name = vocabulary()[task.target.code].name
    return ForecastRefused(
        f"the last {name} score was {origin - scored} days old on day {origin} after enrolment,"
        f" where this forecast would start; it may be at most {task.inputs.past_days - 1} days old",
        "assess the patient again",
    )


def too_early(task: Task, origin: int) -> ForecastRefused:
    """Return the refusal of a day earlier than any that the model was made for."""
    return ForecastRefused(
        f"the forecast would start on day {origin} after enrolment, and this model was trained and"
        f" audited for forecasts from day {min(task.origins_days)}",
        "ask for that day or a later one, or correct the day of enrolment",
    )


def too_late(task: Task, origin: int) -> ForecastRefused:
    """Return the refusal of a day later than any that the model was made for."""
    return ForecastRefused(
        f"the forecast would start on day {origin} after enrolment, and this model was trained and"
        f" audited for forecasts up to day {task.last_origin_day}",
        "decide without the forecast, or ask for a model of this later time",
    )


def forecast_day(
    task: Task,
    measured_days: NDArray[np.integer],
    scored_days: NDArray[np.integer],
    as_of: int | None,
) -> int:
    """Return the day after enrolment on which a forecast is made.

    The day that is asked about; if none is, the newest day with a measurement, or the latest whose
    past still holds the last score (`latest_origin`). Nothing that was measured is passed over: a
    record that goes beyond the task's last day gets no forecast.

    Parameters
    ----------
    measured_days, scored_days
        Days after enrolment with any measurement, and with a score of the target; in any order.
        Those after `as_of` are not known then.
    as_of
        Days after enrolment.

    Raises
    ------
    ForecastRefused
        Nothing was measured from the first landmark on, the day is earlier than that or later than
        the task's last one, or the last score is older than what a forecast rests on.
    """
    if as_of is not None and as_of < min(task.origins_days):
        raise too_early(task, as_of)
    newest = int(measured_days.max(initial=min(task.origins_days) - 1))
    day = newest if as_of is None else as_of
    origin = latest_origin(task, measured_days[measured_days <= day], scored_days)
    if origin is None:
        raise nothing_measured()
    if as_of is None and newest <= task.last_origin_day:
        return origin
    scored = int(scored_days[scored_days <= day].max(initial=NEVER))
    if task.target.assumed is None and NEVER < scored <= day - task.inputs.past_days:
        raise score_too_old(task, day, scored)
    if day > task.last_origin_day:
        raise too_late(task, day)
    return day


def latest_origin(
    task: Task, measured_days: NDArray[np.integer], scored_days: NDArray[np.integer]
) -> int | None:
    """Return the last day after enrolment on which somebody's forecast can be made.

    The latest day with a measurement, unless its past would no longer hold the last score: then
    the latest day whose past does. Never after the task's last day: of somebody who was followed
    for longer, this is the last question that could be asked.

    Parameters
    ----------
    measured_days, scored_days
        Days after enrolment with any measurement, and with a score of the target; in any order.

    Returns
    -------
    None where nothing was measured from the first landmark on.
    """
    first = min(task.origins_days)
    origin = min(int(measured_days.max(initial=first - 1)), task.last_origin_day)
    if origin < first:
        return None
    known = scored_days[scored_days <= origin]
    if task.target.assumed is None and len(known):
        holds_score = int(known.max()) + task.inputs.past_days - 1
        return min(origin, holds_score) if holds_score >= first else origin
    return origin
