"""A subject's running record: enrolled once, added to, never overwritten."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.cohort import TRACED
from contracts.errors import ForecastRefused
from contracts.observation import Observation
from contracts.task import Task
from serving.schemas import CLOCKS, FeedbackRequest
from serving.state.entries import Entry, Event, Kind, new_id
from serving.state.tables import NO_DAY, observation_table, of_person, subject_table

CARDS = "cds-hooks"
"""Route of forecasts that were given as cards."""


class NotOnRecord(ForecastRefused):
    """What a request names is not on record for its tenant, whoever else may have it."""


def enrolment_day_of(connection: sa.Connection, tenant: str, subject: str) -> int | None:
    """Return the day after onset on which a subject was enrolled; None for an unknown one."""
    query = sa.select(subject_table.c.enrolment_day).where(
        *of_person(subject_table, tenant, subject)
    )
    return connection.execute(query).scalar_one_or_none()


def enrol(
    connection: sa.Connection, tenant: str, subject: str, enrolment_day: int | None
) -> int | None:
    """Enrol a new subject; return the day of enrolment, or None where it was known.

    Raises
    ------
    ForecastRefused
        The day is missing, or is not the one on record.
    """
    known = enrolment_day_of(connection, tenant, subject)
    if known is None and enrolment_day is None:
        raise ForecastRefused(
            "the subject is new and has no day of enrolment", "send enrolment_day with the request"
        )
    if known is None:
        row = {"tenant": tenant, "subject": subject, "enrolment_day": enrolment_day}
        connection.execute(sa.insert(subject_table).values(row))
        return enrolment_day
    if enrolment_day not in {None, known}:
        raise ForecastRefused(
            f"the subject is on record as enrolled on day {known} after onset",
            f"send enrolment_day {known}, or none",
        )
    return None


MOST_NAMED = 3
"""Values on record that a refusal names: the rest of them have the same cause."""


def not_on_record(
    recorded: dict[tuple[str, int], tuple[float | None, str | None]],
    observations: Sequence[Observation],
) -> list[Observation]:
    """Return the observations that are new, and add them to those recorded.

    Raises
    ------
    ForecastRefused
        Another value is on record for the same code and day.
    """
    new, others = [], []
    for observation in observations:
        key = (observation.code, day_of(observation))
        content = (observation.value, observation.label)
        if key not in recorded:
            recorded[key] = content
            new.append(observation)
        elif recorded[key] != content:
            others.append(key)
    if others:
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        named = ", ".join(_in_words(*key) for key in others[:MOST_NAMED])
        raise ForecastRefused(
            f"another value is already on record of {named}{more}, so nothing was added",
            "if the value on record is wrong, send the right one to /v1/corrections; else correct"
            " the record at its source",
        )
    return new


def refuse_second_found(
    connection: sa.Connection,
    tenant: str,
    subject: str,
    recorded: Collection[tuple[str, int]],
    new: Sequence[Observation],
    tasks: Sequence[Task],
) -> None:
    """Refuse a second score of one lost outcome: somebody could choose which of them counts.

    Parameters
    ----------
    recorded
        Code and day of what would be on record, the new ones among them.
    tasks
        Whose outcomes are followed.

    Raises
    ------
    ForecastRefused
        Tracing has brought another score within the days of the same outcome.
    """
    came = {(each.code, day_of(each)) for each in new}
    found = {day for code, day in recorded if code == TRACED}
    if len(found) < 2:
        return
    enrolment = enrolment_day_of(connection, tenant, subject) or 0
    for task in tasks:
        code = task.target.code
        for first, end in (horizon.window_days for horizon in task.horizons):
            days = {d for d in found if (code, d) in recorded and first <= d - enrolment < end}
            if len(days) > 1 and came & {(of, day) for of in (code, TRACED) for day in days}:
                raise ForecastRefused(
                    "another score that tracing found of the same outcome is on record",
                    "send the first one only; if it is wrong, send the right one to"
                    " /v1/corrections",
                )


def _in_words(code: str, day: int) -> str:
    """Name a value by its code, which is one of the vocabulary, and its day; never by itself."""
    return code if day == NO_DAY else f"{code} on day {day} since onset"


def day_of(observation: Observation) -> int:
    """Return the day of an observation as it is stored."""
    return NO_DAY if observation.day_since_onset is None else observation.day_since_onset


def row_of(tenant: str, subject: str, observation: Observation) -> dict[str, Any]:
    """Return the row that an observation is stored as."""
    return {
        "tenant": tenant,
        "subject": subject,
        "code": observation.code,
        "day": day_of(observation),
        "value": observation.value,
        "label": observation.label,
    }


def recorded_of(
    connection: sa.Connection, tenant: str, subject: str
) -> dict[tuple[str, int], tuple[float | None, str | None]]:
    """Return what is on record of a subject: (value, label) by (code, day)."""
    rows = connection.execute(
        sa.select(observation_table).where(*of_person(observation_table, tenant, subject))
    )
    return {(row.code, row.day): (row.value, row.label) for row in rows}


def received(
    tenant: str,
    subject: str,
    enrolment_day: int | None,
    observations: Sequence[Observation],
    actor: str,
    now: datetime,
    today: int | None = None,
) -> Event:
    """Return the event that new observations came in, on a day since onset where that is known."""
    return Event(
        id=new_id(),
        time=now.isoformat(timespec="seconds"),
        kind=Kind.OBSERVATIONS,
        tenant=tenant,
        actor=actor,
        subject=subject,
        details={"observations": len(observations)},
        content={
            "enrolment_day": enrolment_day,
            "observations": msgspec.to_builtins(observations),
            **({} if today is None else {"today": today}),
        },
    )


def require_past(observations: Sequence[Observation], today: int | None) -> None:
    """Refuse values of a day that has not come yet.

    Raises
    ------
    ForecastRefused
        A value is of a later day than today.
    """
    latest = max(
        (o.day_since_onset for o in observations if o.day_since_onset is not None), default=0
    )
    if today is not None and latest > today:
        raise ForecastRefused(
            f"a value is of day {latest} after the onset, and today is day {today}",
            "correct the day of the value, or today",
        )


def is_card(forecast: Entry) -> bool:
    """Return whether a forecast on record was given as cards."""
    return bool(json.loads(forecast.details).get("route") == CARDS)


def feedback_on(
    tenant: str,
    about: Entry,
    feedback: FeedbackRequest,
    actor: str,
    now: datetime,
    given: datetime | None = None,
) -> Event:
    """Return the event that feedback on a forecast came in.

    Parameters
    ----------
    given
        When, as the record system says; None where it says nothing.

    Raises
    ------
    ForecastRefused
        That is before the forecast, or another dose is named and the advice was not overridden.
    """
    if given is not None and given < datetime.fromisoformat(about.time) - CLOCKS:
        raise ForecastRefused(
            "the feedback is older than the card that it is about",
            "send the time of the feedback, and check the clock",
        )
    version = json.loads(about.details)["model_version"]
    at = {} if given is None else {"given": given.isoformat(timespec="seconds")}
    hours = feedback.hours_a_week
    if hours is not None and feedback.outcome != "overridden":
        raise ForecastRefused(
            "hours_a_week says which dose was decided instead of the one that was advised, and the"
            f" outcome is {feedback.outcome!r}",
            "send it with the outcome 'overridden', or leave it out",
        )
    instead = {} if hours is None else {"hours_a_week": hours}
    return Event(
        id=new_id(),
        time=now.isoformat(timespec="seconds"),
        kind=Kind.FEEDBACK,
        tenant=tenant,
        actor=actor,
        subject=about.subject,
        details={"about": about.id, "outcome": feedback.outcome, "model_version": version},
        content={"reason": feedback.reason, **at, **instead},
    )
