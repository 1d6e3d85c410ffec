"""The record: everything that the service was sent or gave, in one append-only chain.

Each entry carries the hash of the one before (SHA-256), so that an edit, a loss in the middle or a
changed order shows. What an entry holds about a person is not hashed itself but by a digest keyed
with the entry's own random salt (HMAC, RFC 2104): retention and erasure can delete it, the chain
stays whole, and without the salt nobody can find out by trying what was deleted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from contracts.digests import record_digest
from contracts.errors import ContractError
from serving.state.tables import entry_table
from stores.database import reading

NO_PREVIOUS = "0" * 64
"""Stands for the hash before the first entry."""

NOTHING = ""
"""Digest of what an entry does not have."""

HASHED = (
    "sequence", "id", "time", "kind", "tenant", "actor", "details", "subject_digest",
    "content_digest", "previous",
)  # fmt: skip


class Kind(StrEnum):
    """What an entry is about."""

    FORECAST = "forecast"
    OBSERVATIONS = "observations"
    CORRECTION = "correction"
    FEEDBACK = "feedback"
    CONSENT = "consent"
    RETENTION = "retention"
    ERASURE = "erasure"
    EXPORT = "export"
    ALERT = "alert"
    """A decision about an alert of monitoring."""
    EXERCISE = "exercise"
    """A decision about next week's exercise at home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something to be put on record.

    Parameters
    ----------
    id
        32 hexadecimal digits; an id that is on record already is not put there again.
    time
        UTC, ISO 8601.
    kind, tenant, actor
        What happened, whose patients it is about, and by whom.
    details
        What is kept for ever; nothing about a person.
    subject, content
        The person, and what is about the person; None where there is nothing.
    """

    id: str
    time: str
    kind: Kind
    tenant: str
    actor: str
    details: Mapping[str, Any]
    subject: str | None = None
    content: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as it is stored; its fields are the columns of `service_entry`."""

    sequence: int
    id: str
    time: str
    kind: str
    tenant: str
    actor: str
    details: str
    subject: str | None
    content: str | None
    salt: str | None
    subject_digest: str
    content_digest: str
    previous: str
    hash: str


def new_id() -> str:
    """Return a random id for an event."""
    return secrets.token_hex(16)


def append(connection: sa.Connection, events: Sequence[Event]) -> int:
    """Append the events that are not on record yet, in the caller's transaction; return how many.

    The transaction must be one of `stores.database.write`, whose writers wait for each other.
    """
    known = known_ids(connection, {event.id for event in events})
    last = connection.execute(
        sa.select(entry_table.c.sequence, entry_table.c.hash)
        .order_by(entry_table.c.sequence.desc())
        .limit(1)
    ).one_or_none()
    length, previous = (0, NO_PREVIOUS) if last is None else (last.sequence, last.hash)
    rows = []
    for event in events:
        if event.id in known:
            continue
        known.add(event.id)
        entry = _sealed(event, length + 1, previous)
        rows.append(asdict(entry))
        length, previous = entry.sequence, entry.hash
    if rows:
        connection.execute(sa.insert(entry_table), rows)
    return len(rows)


def known_ids(connection: sa.Connection, ids: set[str]) -> set[str]:
    """Return those of some ids that are on record."""
    query = sa.select(entry_table.c.id).where(entry_table.c.id.in_(ids))
    return set(connection.execute(query).scalars())


def entries(connection: sa.Connection) -> Iterator[Entry]:
    """Return the record from its start, as it is stored."""
    query = sa.select(entry_table).order_by(entry_table.c.sequence)
    # Of this statement only: what is executed after it may be no query.
    for row in connection.execute(query, execution_options={"yield_per": 1000}):
        yield Entry(**row._mapping)


def forecast_of(connection: sa.Connection, tenant: str, forecast_id: str) -> Entry | None:
    """Return a tenant's forecast by its id; None where there is no such one, or it was erased."""
    row = connection.execute(
        sa.select(entry_table).where(
            entry_table.c.id == forecast_id,
            entry_table.c.tenant == tenant,
            entry_table.c.kind == Kind.FORECAST.value,
            entry_table.c.salt.is_not(None),
        )
    ).one_or_none()
    return None if row is None else Entry(**row._mapping)


def require_tenant(engine: sa.Engine, tenant: str) -> None:
    """Check that something of a tenant was ever on record.

    Raises
    ------
    ContractError
        Nothing was: a name that is written wrongly would otherwise look like a tenant of whom
        there is nothing to tell.
    """
    if not is_tenant(engine, tenant):
        raise ContractError(
            f"nothing of tenant {tenant} is on record",
            "check how it is written (`rehabcast access list`)",
        )


def is_tenant(engine: sa.Engine, tenant: str) -> bool:
    """Say whether something of a tenant was ever on record."""
    query = sa.select(entry_table.c.sequence).where(entry_table.c.tenant == tenant).limit(1)
    with reading(engine) as connection:
        return connection.execute(query).first() is not None


def hash_of(entry: Entry) -> str:
    """Return the hash that an entry must have."""
    return record_digest({name: getattr(entry, name) for name in HASHED})


def keyed(salt: str, what: str, text: str | None) -> str:
    """Return the digest of a text, keyed by an entry's salt, apart for each use (`what`)."""
    if text is None:
        return NOTHING
    message = f"{what}:{text}".encode("utf-8", "surrogateescape")
    return hmac.new(bytes.fromhex(salt), message, hashlib.sha256).hexdigest()


def canonical(record: Mapping[str, Any]) -> str:
    """Return a record as JSON that is always written the same."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def ranges_of(numbers: Iterable[int]) -> list[list[int]]:
    """Return ascending numbers as ranges [first, last], both within."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def _sealed(event: Event, sequence: int, previous: str) -> Entry:
    salt = secrets.token_hex(32)
    content = None if event.content is None else canonical(event.content)
    unsealed = Entry(
        sequence=sequence,
        id=event.id,
        time=event.time,
        kind=event.kind.value,
        tenant=event.tenant,
        actor=event.actor,
        details=canonical(event.details),
        subject=event.subject,
        content=content,
        salt=salt,
        subject_digest=keyed(salt, "subject", event.subject),
        content_digest=keyed(salt, "content", content),
        previous=previous,
        hash="",
    )
    return Entry(**{**asdict(unsealed), "hash": hash_of(unsealed)})
