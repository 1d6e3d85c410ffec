"""What clinicians predicted before they saw a forecast: feedback on the chain of the record.

A prediction is made of a patient and a week, not of a forecast: none has been given yet.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from serving.state.entries import Event, Kind, append, new_id
from serving.state.store import Store
from serving.state.tables import entry_table
from stores.database import reading, write

PREDICTED = "predicted"
"""Outcome of this feedback."""

MOST_LOOKED_AT = 3
"""Forecasts after a prediction among which that of the same score is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasted:
    """What was forecast for the same week, just afterwards."""

    median: float
    low_80: float
    high_80: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A clinician's own prediction.

    Parameters
    ----------
    date
        When it was made (UTC).
    actor
        Who made it, as the record names them.
    weeks, score
        For which week after enrolment, and what.
    forecasted
        The forecast that was shown next; None where there was none of that week.
    """

    date: str
    actor: str
    weeks: int
    score: float
    forecasted: Forecasted | None


def put(
    store: Store, tenant: str, subject: str, *, code: str, weeks: int, score: float,
    model_version: str, actor: str, now: datetime,
) -> None:  # fmt: skip
    """Put a prediction on record."""
    event = Event(
        id=new_id(), time=now.isoformat(timespec="seconds"), kind=Kind.FEEDBACK, tenant=tenant,
        actor=actor, subject=subject,
        details={"about": "", "outcome": PREDICTED, "model_version": model_version},
        content={"code": code, "weeks": weeks, "score": score},
    )  # fmt: skip
    write(store.engine, lambda connection: append(connection, [event]))


def predictions(engine: sa.Engine, tenant: str, subject: str, code: str) -> Sequence[Prediction]:
    """Return what was predicted of a patient's score of an instrument, the earliest first."""
    entry = entry_table.c
    of_patient = (entry.tenant == tenant, entry.subject == subject, entry.content.is_not(None))
    with reading(engine) as connection:
        rows = connection.execute(
            sa.select(entry.sequence, entry.time, entry.actor, entry.details, entry.content)
            .where(*of_patient, entry.kind == Kind.FEEDBACK.value)
            .order_by(entry.sequence)
        ).all()
        made = [
            (row, content)
            for row in rows
            if json.loads(row.details)["outcome"] == PREDICTED
            and (content := json.loads(row.content))["code"] == code
        ]
        return [
            Prediction(
                date=row.time[:10], actor=row.actor, weeks=content["weeks"],
                score=content["score"],
                forecasted=_next_forecast(connection, of_patient, row.sequence, content),
            )
            for row, content in made
        ]  # fmt: skip


def _next_forecast(
    connection: sa.Connection, of_patient: Sequence[Any], sequence: int, said: dict[str, Any]
) -> Forecasted | None:
    """Return the first forecast of the same score that followed, for the same week."""
    later = connection.execute(
        sa.select(entry_table.c.content)
        .where(
            *of_patient,
            entry_table.c.kind == Kind.FORECAST.value,
            entry_table.c.sequence > sequence,
        )
        .order_by(entry_table.c.sequence)
        .limit(MOST_LOOKED_AT)
    ).scalars()
    for content in later:
        answer = json.loads(json.loads(content)["output"])
        if answer.get("instrument_code") != said["code"]:
            continue
        for each in answer.get("horizons") or ():
            if each["weeks"] == said["weeks"]:
                return Forecasted(
                    median=each["median"], low_80=each["low_80"], high_80=each["high_80"]
                )
        return None
    return None
