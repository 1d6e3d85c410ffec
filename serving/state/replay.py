"""What the record adds up to: who is enrolled, what was observed, who has withdrawn consent.

Where a person stands in time is kept as values come. Where adding them to what is known is not
enough, the person's entries are replayed: a value was withdrawn, or a version without monitoring
has added some.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from serving.state.entries import Entry, Kind, entries
from serving.state.tables import (
    DECISION_COLUMNS,
    NO_DAY,
    consent_table,
    decision_table,
    entry_table,
    noted_table,
    observation_table,
    of_person,
    subject_table,
    watch_table,
)
from serving.state.watch.days import NO_DATE, onset_by

TODAY = "today"
"""Stands beside the days of values: on which day an entry came, where its sender said it."""

ENROLMENTS, OBSERVATIONS, CONSENTS = "days of enrolment", "observations", "consents"
WATCHES, DECISIONS = "dates of onset", "decisions about alerts"
TABLES = {
    ENROLMENTS: (subject_table, ("tenant", "subject"), ("enrolment_day",)),
    OBSERVATIONS: (observation_table, ("tenant", "subject", "code", "day"), ("value", "label")),
    CONSENTS: (consent_table, ("tenant", "subject"), ("state",)),
    WATCHES: (watch_table, ("tenant", "subject"), ("onset_by", "newest_entry")),
    DECISIONS: (decision_table, ("tenant", "subject", "kind", "code"), DECISION_COLUMNS),
}
"""Each table with its key and its other columns."""

VALUES = (Kind.OBSERVATIONS.value, Kind.CORRECTION.value)
"""Kinds of entries that values come in."""

WATCHED = 2
"""Form of the record from which on monitoring is kept: of an earlier one all entries are read."""

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """Rows by table and key, and the entry that each is from.

    Parameters
    ----------
    onsets
        Of each person the latest date of the onset by each value in force, by code and day.
    """

    rows: dict[str, dict[Key, Key]] = field(default_factory=lambda: {name: {} for name in TABLES})
    origin: dict[tuple[str, Key], int] = field(default_factory=dict)
    onsets: dict[Key, dict[Key, str]] = field(default_factory=dict)


def replayed(stored: Iterable[Entry]) -> Tables:
    """Return the tables that a record adds up to; contents that were erased add nothing."""
    tables = Tables()
    for entry in stored:
        if entry.content is None or entry.subject is None:
            continue
        person = (entry.tenant, entry.subject)
        try:
            content = json.loads(entry.content)
            if entry.kind == Kind.CORRECTION:
                _withdraw(tables, person, content)
            if entry.kind in {Kind.OBSERVATIONS, Kind.CORRECTION}:
                _add_observations(tables, entry.sequence, person, content)
                _note_values(tables, entry, person, content)
            elif entry.kind == Kind.CONSENT:
                _put(tables, CONSENTS, person, (content["state"],), entry.sequence)
            elif entry.kind == Kind.ALERT:
                row = tuple(content[name] for name in DECISION_COLUMNS)
                key = (*person, content["kind"], content["code"])
                _put(tables, DECISIONS, key, row, entry.sequence)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            # Somebody wrote it anew: its digest does not fit, and `verification` says so.
            continue
    return tables


def note_values(
    connection: sa.Connection, tenant: str, subject: str, days: Iterable[int | None], time: str
) -> None:
    """Note that values came, in the transaction that put them on record."""
    of_values = (*of_person(entry_table, tenant, subject), entry_table.c.kind.in_(VALUES))
    newest, *before = connection.execute(
        sa.select(entry_table.c.sequence)
        .where(*of_values)
        .order_by(entry_table.c.sequence.desc())
        .limit(2)
    ).scalars()
    known = connection.execute(
        sa.select(watch_table.c.onset_by, watch_table.c.newest_entry).where(
            *of_person(watch_table, tenant, subject)
        )
    ).one_or_none()
    if ([] if known is None else [known.newest_entry]) != before:
        note_anew(connection, tenant, subject)
        return
    onset = onset_by(NO_DATE if known is None else known.onset_by, days, time)
    _keep_watch(connection, tenant, subject, onset, newest)


def note_anew(connection: sa.Connection, tenant: str, subject: str) -> None:
    """Note what all entries of a person add up to."""
    theirs = of_person(entry_table, tenant, subject)
    query = sa.select(entry_table).where(*theirs).order_by(entry_table.c.sequence)
    stored = (Entry(**row._mapping) for row in connection.execute(query))
    row = replayed(stored).rows[WATCHES].get((tenant, subject))
    if row is not None:
        _keep_watch(connection, tenant, subject, *row)


def bring_up(connection: sa.Connection, form: int | None) -> None:
    """Note what a store of some form lacks of what monitoring reads; None of one without a form."""
    (note_missing if (form or 0) >= WATCHED else note_all)(connection)


def note_all(connection: sa.Connection) -> None:
    """Note everybody anew: what is there is of a version that knew less."""
    _noted_up_to_now(connection)
    found = replayed(entries(connection)).rows[WATCHES]
    connection.execute(sa.delete(watch_table))
    for (tenant, subject), (onset, entry) in found.items():
        row = {"tenant": tenant, "subject": subject, "onset_by": onset, "newest_entry": entry}
        connection.execute(sa.insert(watch_table).values(row))


def note_missing(connection: sa.Connection) -> None:
    """Note whose newest values a version without monitoring has put on record.

    It may have run beside this one; what was noted at the last opening needs no second look.
    """
    entry, since = entry_table.c, _noted_up_to_now(connection)
    newest = (
        sa.select(entry.tenant, entry.subject, sa.func.max(entry.sequence).label("sequence"))
        .where(entry.sequence > since, entry.kind.in_(VALUES), entry.subject.is_not(None))
        .group_by(entry.tenant, entry.subject)
        .subquery()
    )
    theirs = sa.and_(
        watch_table.c.tenant == newest.c.tenant, watch_table.c.subject == newest.c.subject
    )
    behind = sa.or_(watch_table.c.subject.is_(None), watch_table.c.newest_entry < newest.c.sequence)
    query = (
        sa.select(newest.c.tenant, newest.c.subject)
        .select_from(newest.outerjoin(watch_table, theirs))
        .where(behind)
    )
    for tenant, subject in connection.execute(query).all():
        note_anew(connection, tenant, subject)


def _noted_up_to_now(connection: sa.Connection) -> int:
    """Note that all entries until now are noted, in this transaction; return how far it was so."""
    since = connection.execute(sa.select(noted_table.c.sequence)).scalar()
    now = connection.execute(sa.select(sa.func.max(entry_table.c.sequence))).scalar() or 0
    if not isinstance(now, int):
        # SQLite takes any text: somebody wrote it, and `verification` says so.
        return 0
    if since is None:
        connection.execute(sa.insert(noted_table).values(number=1, sequence=now))
    elif since != now:
        connection.execute(sa.update(noted_table).values(sequence=now))
    # A table that was restored apart from the others is behind none of them.
    return min(since, now) if isinstance(since, int) else 0


def stored_tables(connection: sa.Connection) -> Tables:
    """Return the tables as they are stored."""
    tables = Tables()
    for name, (table, key, others) in TABLES.items():
        for row in connection.execute(sa.select(table)).mappings():
            tables.rows[name][tuple(row[c] for c in key)] = tuple(row[c] for c in others)
    return tables


def observation_row(observation: dict[str, Any]) -> tuple[Key, Key]:
    """Return the key (code, day) and the content (value, label) of an observation on record."""
    day = observation.get("day_since_onset")
    key = (observation.get("code"), NO_DAY if day is None else day)
    return key, (observation.get("value"), observation.get("label"))


def _add_observations(tables: Tables, sequence: int, person: Key, content: Any) -> None:
    if content.get("enrolment_day") is not None:
        _put(tables, ENROLMENTS, person, (content["enrolment_day"],), sequence)
    for observation in content.get("observations", []):
        key, row = observation_row(observation)
        _put(tables, OBSERVATIONS, (*person, *key), row, sequence)


def _withdraw(tables: Tables, person: Key, content: Any) -> None:
    for observation in content.get("withdrawn", []):
        key, _ = observation_row(observation)
        tables.rows[OBSERVATIONS].pop((*person, *key), None)
        tables.onsets.get(person, {}).pop(key, None)


def _note_values(tables: Tables, entry: Entry, person: Key, content: Any) -> None:
    known, _ = tables.rows[WATCHES].get(person, (NO_DATE, 0))
    onsets = tables.onsets.setdefault(person, {})
    if content.get("withdrawn"):
        # A value that never was tells nothing of the onset, whatever its day.
        known = min(filter(None, onsets.values()), default=NO_DATE)
    if content.get("today") is not None:
        onsets[(TODAY,)] = onset_by(onsets.get((TODAY,), NO_DATE), [content["today"]], entry.time)
        known = onset_by(known, [content["today"]], entry.time)
    for observation in content.get("observations", []):
        key, _ = observation_row(observation)
        day = observation.get("day_since_onset")
        onsets[key] = onset_by(onsets.get(key, NO_DATE), [day], entry.time)
        known = onset_by(known, [day], entry.time)
    _put(tables, WATCHES, person, (known, entry.sequence), entry.sequence)


def _put(tables: Tables, name: str, key: Key, row: Key, sequence: int) -> None:
    tables.rows[name][key] = row
    tables.origin[name, key] = sequence


def _keep_watch(
    connection: sa.Connection, tenant: str, subject: str, onset: str, newest: int
) -> None:
    connection.execute(sa.delete(watch_table).where(*of_person(watch_table, tenant, subject)))
    row = {"tenant": tenant, "subject": subject, "onset_by": onset, "newest_entry": newest}
    connection.execute(sa.insert(watch_table).values(row))
