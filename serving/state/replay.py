"""What the record adds up to: who is enrolled, what was observed, who has withdrawn consent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from serving.state.entries import Entry, Kind, entries
from serving.state.tables import NO_DAY, consent_table, observation_table, subject_table
from serving.state.watch.days import NO_DATE, onset_by
from serving.state.watch.decisions import COLUMNS
from serving.state.watch.tables import decision_table, watch_table

ENROLMENTS, OBSERVATIONS, CONSENTS = "days of enrolment", "observations", "consents"
WATCHES, DECISIONS = "dates of onset", "decisions about alerts"
TABLES = {
    ENROLMENTS: (subject_table, ("tenant", "subject"), ("enrolment_day",)),
    OBSERVATIONS: (observation_table, ("tenant", "subject", "code", "day"), ("value", "label")),
    CONSENTS: (consent_table, ("tenant", "subject"), ("state",)),
    WATCHES: (watch_table, ("tenant", "subject"), ("onset_by", "newest_entry")),
    DECISIONS: (decision_table, ("tenant", "subject", "kind", "code"), COLUMNS),
}
"""Each table with its key and its other columns."""

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """Rows by table and key, and the entry that each is from."""

    rows: dict[str, dict[Key, Key]] = field(default_factory=lambda: {name: {} for name in TABLES})
    origin: dict[tuple[str, Key], int] = field(default_factory=dict)


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
                row = tuple(content[name] for name in COLUMNS)
                key = (*person, content["kind"], content["code"])
                _put(tables, DECISIONS, key, row, entry.sequence)
        except (ValueError, TypeError, KeyError, AttributeError):
            # Somebody wrote it anew: its digest does not fit, and `verification` says so.
            continue
    return tables


def watch_all(connection: sa.Connection) -> None:
    """Note the values that came before monitoring did."""
    for (tenant, subject), (onset, entry) in replayed(entries(connection)).rows[WATCHES].items():
        row = {"tenant": tenant, "subject": subject, "onset_by": onset, "newest_entry": entry}
        connection.execute(sa.insert(watch_table).values(row))


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


def _note_values(tables: Tables, entry: Entry, person: Key, content: Any) -> None:
    known, _ = tables.rows[WATCHES].get(person, (NO_DATE, 0))
    days = (observation.get("day_since_onset") for observation in content.get("observations", []))
    row = (onset_by(known, days, entry.time), entry.sequence)
    _put(tables, WATCHES, person, row, entry.sequence)


def _put(tables: Tables, name: str, key: Key, row: Key, sequence: int) -> None:
    tables.rows[name][key] = row
    tables.origin[name, key] = sequence
