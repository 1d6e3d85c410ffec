"""The day that a question is about, and the dates of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from contracts.task import Task
from contracts.vocabulary import vocabulary
from serving.forecast.question import Question


def day_asked(
    onset: date | None, as_of: date | None, observations: Sequence[Observation], now: datetime
) -> int | None:
    """Return the day that is asked about, in days since onset: today, unless the request says.

    Where the newest observation is dated tomorrow, it is tomorrow already where it was made.

    Returns
    -------
    None where there is no date of onset: nobody knows which day of the record is today.

    Raises
    ------
    ForecastRefused
        A date is asked about and there is no date of onset, or it is before the onset or to come.
    """
    if onset is None:
        if as_of is None:
            return None
        raise ForecastRefused(
            "a date is asked about, but the record has no date of onset",
            "send onset_date beside as_of, or leave out both",
        )
    today = now.date()
    if onset > today + timedelta(days=1):
        raise ForecastRefused(
            f"the date of onset, {onset}, is still to come", "correct the date of onset"
        )
    if as_of is None:
        days = (o.day_since_onset for o in observations if o.day_since_onset is not None)
        newest, asked = max(days, default=0), (today - onset).days
        return newest if newest == asked + 1 else max(asked, 0)
    if as_of > today + timedelta(days=1):
        raise ForecastRefused(
            f"the forecast is asked for {as_of}, which is still to come",
            "ask for today or an earlier day; leave out as_of for today",
        )
    if as_of < onset:
        raise ForecastRefused(
            f"the forecast is asked for {as_of}, before the onset on {onset}",
            "correct as_of or the date of onset",
        )
    return (as_of - onset).days


def date_of(question: Question, day: int) -> date | None:
    """Return the date of a day after enrolment; None where the date of onset is not known."""
    if question.onset is None:
        return None
    return question.onset + timedelta(days=question.enrolment_day + day)


def not_used(question: Question, task: Task, origin: int) -> list[str]:
    """Say what of the record a forecast does not use because of its day."""
    return [*_old_score(question, task, origin), *_later_values(question, origin)]


def _later_values(question: Question, origin: int) -> list[str]:
    """Say how much of the record is later than the forecast's day, days after enrolment."""
    asked = question.enrolment_day + origin
    later = sum(
        observation.day_since_onset is not None and observation.day_since_onset > asked
        for observation in question.observations
    )
    if not later:
        return []
    when = date_of(question, origin) or f"day {origin} after enrolment"
    if later == 1:
        return [f"1 value is of a later day than {when}, so this forecast does not use it"]
    return [f"{later} values are of later days than {when}, so this forecast does not use them"]


def _old_score(question: Question, task: Task, origin: int) -> list[str]:
    """Say that the last score is too old, where a task has an assumed one in its place."""
    asked = question.enrolment_day + origin
    scored = max(
        (
            observation.day_since_onset
            for observation in question.observations
            if observation.code == task.target.code
            and observation.day_since_onset is not None
            and observation.day_since_onset <= asked
        ),
        default=None,
    )
    if task.target.assumed is None or scored is None or asked - scored < task.inputs.past_days:
        return []
    name = vocabulary()[task.target.code].name
    return [
        f"the last {name} score is {asked - scored} days old, too old to be used: this forecast"
        f" starts from {task.target.assumed:g}, as if there were no score"
    ]


def between_landmarks(task: Task, origin: int) -> list[str]:
    """Say which days the audit judged, where the forecast is of another."""
    if origin in task.origins_days:
        return []
    audited = ", ".join(map(str, task.origins_days))
    return [
        f"The audit assessed forecasts made on day {audited} after enrolment; this one was made on"
        f" day {origin}."
    ]
