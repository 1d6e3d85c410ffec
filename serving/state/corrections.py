"""Corrections of a running record: what was mistyped is superseded, and stays on the chain.

A correction is an entry of its own: who made it, when and why, what was there, and what counts now
or that nothing does. Forecasts that were given from the wrong value stay on record as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from serving.amendments import Correction, CorrectionRequest
from serving.possible import require_possible
from serving.state.consent import consent_withdrawn, is_withdrawn
from serving.state.entries import Event, Kind, append, new_id
from serving.state.replay import note_anew, note_values
from serving.state.running_record import enrolment_day_of, recorded_of
from serving.state.store import NotOnRecord, Store
from serving.state.tables import NO_DAY, observation_table, of_person, subject_table
from stores.database import write

Recorded = dict[tuple[str, int], tuple[float | None, str | None]]


def correct(
    store: Store, tenant: str, request: CorrectionRequest, *, actor: str, now: datetime
) -> int:
    """Correct a subject's running record; return how many observations it has now.

    All of it in one transaction, or nothing.

    Raises
    ------
    NotOnRecord
        The tenant has no such subject, or nothing of that code and day about them.
    ForecastRefused
        A correction changes nothing, or the person has withdrawn consent.
    """
    subject = request.subject

    def action(connection: sa.Connection) -> int:
        if is_withdrawn(connection, tenant, subject):
            raise consent_withdrawn()
        enrolled = enrolment_day_of(connection, tenant, subject)
        if enrolled is None:
            raise NotOnRecord(
                "nothing is on record for this subject", "send observations to /v1/observations"
            )
        recorded = recorded_of(connection, tenant, subject)
        before = list(_superseded(recorded, request.corrections))
        _require_change(request, enrolled)
        require_possible([_observation(each) for each in request.corrections if not each.withdrawn])
        event = correction_event(tenant, request, before, enrolled, actor, now)
        append(connection, [event])
        days = [each.day_since_onset for each in request.corrections if not each.withdrawn]
        if any(each.withdrawn for each in request.corrections):
            note_anew(connection, tenant, subject)
        else:
            note_values(connection, tenant, subject, days, event.time)
        for correction in request.corrections:
            apply_correction(connection, tenant, subject, correction)
        if request.enrolment_day is not None:
            connection.execute(
                sa.update(subject_table)
                .where(*of_person(subject_table, tenant, subject))
                .values(enrolment_day=request.enrolment_day)
            )
        return len(recorded) - sum(each.withdrawn for each in request.corrections)

    return write(store.engine, action)


def _superseded(recorded: Recorded, corrections: Sequence[Correction]) -> Iterator[dict[str, Any]]:
    """Yield what is on record of each value that is corrected."""
    seen = set()
    for correction in corrections:
        key = (correction.code, _day(correction))
        if key not in recorded:
            raise NotOnRecord(
                "nothing is on record of this code and day",
                "send code and day_since_onset as they are on record, or new values to"
                " /v1/observations",
            )
        if key in seen:
            raise ForecastRefused("one value is corrected twice", "send each correction once")
        seen.add(key)
        value, label = recorded[key]
        if not correction.withdrawn and (correction.value, correction.label) == (value, label):
            raise ForecastRefused(
                "the corrected value is the one on record", "send the value that should be there"
            )
        yield {
            "code": correction.code,
            "day_since_onset": correction.day_since_onset,
            "value": value,
            "label": label,
        }


def _require_change(request: CorrectionRequest, enrolled: int) -> None:
    if not request.corrections and request.enrolment_day in {None, enrolled}:
        raise ForecastRefused(
            "the correction changes nothing", "send corrections, or another enrolment_day"
        )
    for each in request.corrections:
        if each.withdrawn is (each.value is not None or each.label is not None):
            raise ForecastRefused(
                "a correction has neither a value nor is withdrawn, or both",
                "send the right value or label, or withdrawn: true alone",
            )


def apply_correction(
    connection: sa.Connection, tenant: str, subject: str, correction: Correction
) -> None:
    """Put what is right in the place of what is on record."""
    where = (
        *of_person(observation_table, tenant, subject),
        observation_table.c.code == correction.code,
        observation_table.c.day == _day(correction),
    )
    if correction.withdrawn:
        connection.execute(sa.delete(observation_table).where(*where))
        return
    values = {"value": correction.value, "label": correction.label}
    connection.execute(sa.update(observation_table).where(*where).values(**values))


def correction_event(
    tenant: str,
    request: CorrectionRequest,
    before: Sequence[dict[str, Any]],
    enrolled: int | None,
    actor: str,
    now: datetime,
) -> Event:
    """Return the event that values on record were superseded."""
    withdrawn = [each for each in request.corrections if each.withdrawn]
    observations = [_content(each) for each in request.corrections if not each.withdrawn]
    return Event(
        id=new_id(),
        time=now.isoformat(timespec="seconds"),
        kind=Kind.CORRECTION,
        tenant=tenant,
        actor=actor,
        subject=request.subject,
        details={"corrected": len(observations), "withdrawn": len(withdrawn)},
        content={
            "reason": request.reason,
            "before": {"enrolment_day": enrolled, "observations": before},
            "enrolment_day": request.enrolment_day,
            "observations": observations,
            "withdrawn": [
                {"code": each.code, "day_since_onset": each.day_since_onset} for each in withdrawn
            ],
        },
    )


def _observation(correction: Correction) -> Observation:
    return Observation(
        code=correction.code,
        day_since_onset=correction.day_since_onset,
        value=correction.value,
        label=correction.label,
    )


def _content(correction: Correction) -> dict[str, Any]:
    return {
        "code": correction.code,
        "day_since_onset": correction.day_since_onset,
        "value": correction.value,
        "label": correction.label,
    }


def _day(correction: Correction) -> int:
    return NO_DAY if correction.day_since_onset is None else correction.day_since_onset
