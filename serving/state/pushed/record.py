"""Puts the days that pushed points come to on the running record.

A day is put there as every value is, in the hash chain. Later points of a day correct it, and the
correction is on the chain like a person's. What somebody stated or corrected stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import msgspec
import sqlalchemy as sa

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from serving.amendments import Correction, CorrectionRequest
from serving.possible import require_possible
from serving.pushed import Point, StatedDay, Status
from serving.state.consent import consent_withdrawn, is_withdrawn
from serving.state.corrections import apply_correction, correction_event
from serving.state.entries import append
from serving.state.pushed.points import (
    around,
    day_values,
    forget_old,
    keep,
    not_kept,
    records_of,
    statuses,
)
from serving.state.replay import note_anew, note_values
from serving.state.running_record import enrol, enrolment_day_of, received, recorded_of, row_of
from serving.state.store import Store
from serving.state.tables import (
    observation_table,
    of_person,
    pushed_day_table,
    pushed_onset_table,
)
from stores.database import write

REASON = "points of this day that were pushed later"

Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wearer:
    """Whose points are pushed, and what places their days after the onset.

    Parameters
    ----------
    onset_date, enrolment_day
        Needed with the first points; afterwards those on record, or None.
    """

    tenant: str
    subject: str
    onset_date: date | None
    enrolment_day: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What points did: what became of each, None of those before the onset; and of the record."""

    statuses: Sequence[Status | None]
    added: int = 0
    changed: int = 0
    stated: Sequence[StatedDay] = ()


def push(
    store: Store, wearer: Wearer, points: Sequence[Point], *, actor: str, now: datetime
) -> Pushed:
    """Keep points, and put their days on record: all in one transaction, or nothing.

    Raises
    ------
    ForecastRefused
        The person has withdrawn consent, the onset or the enrolment is not known or another one
        is, or too many points would be kept.
    """

    def action(connection: sa.Connection) -> Pushed:
        tenant, subject = wearer.tenant, wearer.subject
        if is_withdrawn(connection, tenant, subject):
            raise consent_withdrawn()
        onset, onset_is_new = _onset(connection, wearer)
        since = [p for p in points if not p.first_date or p.first_date >= onset.isoformat()]
        if not since:
            return Pushed(statuses=[None] * len(points))
        enrolled = enrol(connection, tenant, subject, wearer.enrolment_day)
        if onset_is_new:
            row = {"tenant": tenant, "subject": subject, "onset_date": onset.isoformat()}
            connection.execute(sa.insert(pushed_onset_table).values(row))
        forget_old(connection, now)
        new = not_kept(connection, tenant, subject, since)
        if new:
            keep(connection, tenant, subject, new, now)
        near = around(connection, tenant, subject, since, now)
        records = records_of(near.kept, subject)
        values = day_values(records, near.first, near.last) if new else {}
        span = (max(0, (near.first - onset).days), (near.last - onset).days)
        by_day = {(code, (day - onset).days): value for (code, day), value in values.items()}
        changes = _Changes() if not new else _changes(connection, wearer, by_day, span)
        _put_on_record(connection, wearer, changes, enrolled, actor, now)
        became = iter(statuses(records, since, {point.digest for point in new}))
        placed = {point.index for point in since}
        return Pushed(
            statuses=[next(became) if point.index in placed else None for point in points],
            added=len(changes.added),
            changed=len(changes.changed) + len(changes.withdrawn),
            stated=[StatedDay(code=code, day_since_onset=day) for code, day in changes.stated],
        )

    return write(store.engine, action)


def _onset(connection: sa.Connection, wearer: Wearer) -> tuple[date, bool]:
    """Return the date of the onset, and whether it is not on record yet."""
    query = sa.select(pushed_onset_table.c.onset_date).where(
        *of_person(pushed_onset_table, wearer.tenant, wearer.subject)
    )
    known = connection.execute(query).scalar_one_or_none()
    if known is None:
        if wearer.onset_date is None:
            raise ForecastRefused(
                "the date of this person's onset is not known, so no day can be counted from it",
                "send onset_date with the first points",
            )
        return wearer.onset_date, True
    if wearer.onset_date not in {None, date.fromisoformat(known)}:
        raise ForecastRefused(
            "points of this person were put on record from another date of onset",
            "send that onset_date, or none; if it was wrong, erase the person and push again",
        )
    return date.fromisoformat(known), False


@dataclass(frozen=True, slots=True)
class _Changes:
    """Days that are new, changed or gone, each with its value; what somebody stated instead."""

    added: Mapping[Key, float] = field(default_factory=dict)
    changed: Mapping[Key, float] = field(default_factory=dict)
    withdrawn: Mapping[Key, float] = field(default_factory=dict)
    before: Mapping[Key, float] = field(default_factory=dict)
    stated: Sequence[Key] = ()


def _changes(
    connection: sa.Connection, wearer: Wearer, values: Mapping[Key, float], span: tuple[int, int]
) -> _Changes:
    """Compare the days of a span with what pushing last put on record, and with the record."""
    rows = connection.execute(
        sa.select(pushed_day_table).where(
            *of_person(pushed_day_table, wearer.tenant, wearer.subject),
            pushed_day_table.c.day.between(*span),
        )
    )
    pushed = {(row.code, row.day): row.value for row in rows}
    recorded = {
        key: value
        for key, (value, _) in recorded_of(connection, wearer.tenant, wearer.subject).items()
    }
    ours = {key for key in {*values, *pushed} if recorded.get(key) == pushed.get(key)}
    return _Changes(
        added={k: v for k, v in values.items() if k in ours and k not in pushed},
        changed={k: v for k, v in values.items() if k in ours and k in pushed and v != pushed[k]},
        withdrawn={k: v for k, v in pushed.items() if k in ours and k not in values},
        before=pushed,
        stated=sorted(k for k in values if k not in ours and values[k] != recorded.get(k)),
    )


def _put_on_record(
    connection: sa.Connection,
    wearer: Wearer,
    changes: _Changes,
    enrolled: int | None,
    actor: str,
    now: datetime,
) -> None:
    tenant, subject = wearer.tenant, wearer.subject
    _note_pushed(connection, wearer, changes)
    added = [_observation(key, value) for key, value in sorted(changes.added.items())]
    corrections = [
        *(_correction(key, value) for key, value in sorted(changes.changed.items())),
        *(_correction(key, None) for key in sorted(changes.withdrawn)),
    ]
    right = [_observation(key, value) for key, value in changes.changed.items()]
    require_possible([*added, *right])
    if added or enrolled is not None:
        event = received(tenant, subject, enrolled, added, actor, now)
        append(connection, [event])
        days = [observation.day_since_onset for observation in added]
        note_values(connection, tenant, subject, days, event.time)
    if added:
        rows = [row_of(tenant, subject, observation) for observation in added]
        connection.execute(sa.insert(observation_table), rows)
    if corrections:
        _correct(connection, wearer, corrections, changes, actor, now)


def _correct(
    connection: sa.Connection,
    wearer: Wearer,
    corrections: Sequence[Correction],
    changes: _Changes,
    actor: str,
    now: datetime,
) -> None:
    tenant, subject = wearer.tenant, wearer.subject
    request = CorrectionRequest(subject=subject, corrections=list(corrections), reason=REASON)
    changed = [*sorted(changes.changed), *sorted(changes.withdrawn)]
    before = [msgspec.to_builtins(_observation(key, changes.before[key])) for key in changed]
    enrolled = enrolment_day_of(connection, tenant, subject)
    event = correction_event(tenant, request, before, enrolled, actor, now)
    append(connection, [event])
    if changes.withdrawn:
        note_anew(connection, tenant, subject)
    else:
        days = [each.day_since_onset for each in corrections]
        note_values(connection, tenant, subject, days, event.time)
    for correction in corrections:
        apply_correction(connection, tenant, subject, correction)


def _note_pushed(connection: sa.Connection, wearer: Wearer, changes: _Changes) -> None:
    theirs = of_person(pushed_day_table, wearer.tenant, wearer.subject)
    for code, day in (*changes.changed, *changes.withdrawn):
        of_day = (pushed_day_table.c.code == code, pushed_day_table.c.day == day)
        connection.execute(sa.delete(pushed_day_table).where(*theirs, *of_day))
    rows = [
        {"tenant": wearer.tenant, "subject": wearer.subject, "code": c, "day": day, "value": value}
        for (c, day), value in (*changes.added.items(), *changes.changed.items())
    ]
    if rows:
        connection.execute(sa.insert(pushed_day_table), rows)


def _observation(key: Key, value: float) -> Observation:
    code, day = key
    return Observation(code=code, day_since_onset=day, value=value)


def _correction(key: Key, value: float | None) -> Correction:
    code, day = key
    return Correction(code=code, day_since_onset=day, value=value, withdrawn=value is None)
