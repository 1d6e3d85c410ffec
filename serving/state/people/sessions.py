"""Sessions of people in a browser, kept in the store, so that every worker knows them.

The browser holds a random value, the store only its digest.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from serving.state.tables import session_table
from stores.database import reading, write

IDLE = timedelta(minutes=60)
"""How long somebody stays signed in without opening a page."""

LONGEST = timedelta(hours=12)
"""How long somebody stays signed in at most: a shift."""

NOTED = timedelta(minutes=1)
"""How exactly it is noted when a session was last used, so that a page rarely writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in.

    Parameters
    ----------
    name
        As a caller of the service, for the record.
    person
        As people call them.
    tenant, roles
        Whose patients, and what they may do.
    """

    name: str
    person: str
    tenant: str
    roles: frozenset[str]


def begin(
    engine: sa.Engine, *, name: str, person: str, tenant: str, roles: Collection[str], now: datetime
) -> str:
    """Keep a new session; return what the browser holds of it."""
    held = secrets.token_urlsafe(32)
    seconds = int(now.timestamp())
    row = {
        "id": _digest(held), "name": name, "person": person, "tenant": tenant,
        "roles": " ".join(sorted(roles)), "begun": seconds, "seen": seconds,
    }  # fmt: skip

    def action(connection: sa.Connection) -> None:
        connection.execute(sa.delete(session_table).where(sa.not_(_open(now))))
        connection.execute(sa.insert(session_table).values(row))

    write(engine, action)
    return held


def find(engine: sa.Engine, held: str, now: datetime) -> Session | None:
    """Return the session that a browser holds; None where there is none, or it has ended."""
    if not held:
        return None
    mine = session_table.c.id == _digest(held)
    with reading(engine) as connection:
        row = connection.execute(sa.select(session_table).where(mine, _open(now))).one_or_none()
    if row is None:
        return None
    seconds = int(now.timestamp())
    if seconds - row.seen >= NOTED.total_seconds():
        write(
            engine,
            lambda connection: connection.execute(
                sa.update(session_table).where(mine).values(seen=seconds)
            ),
        )
    return Session(
        name=row.name, person=row.person, tenant=row.tenant, roles=frozenset(row.roles.split())
    )


def end(engine: sa.Engine, held: str) -> None:
    """End a session, if there is one."""
    mine = session_table.c.id == _digest(held)
    write(engine, lambda connection: connection.execute(sa.delete(session_table).where(mine)))


def _open(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        session_table.c.seen > int((now - IDLE).timestamp()),
        session_table.c.begun > int((now - LONGEST).timestamp()),
    )


def _digest(held: str) -> str:
    return hashlib.sha256(held.encode()).hexdigest()
