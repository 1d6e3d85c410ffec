"""What a person and the law may ask of the record: keep it so long, hand it out, erase it.

Each leaves an entry that says what was done, by which rule, and to which entries; nothing of what
was deleted. Sources: GDPR (EU 2016/679), articles 5(1)(e), 15, 17 and 30.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from contracts.errors import ServiceUnavailable
from serving.state.consent import KEPT, is_withdrawn, mark_of_withdrawn
from serving.state.entries import Event, Kind, append, new_id, ranges_of
from serving.state.store import NotOnRecord, Store
from serving.state.tables import (
    OF_A_PERSON,
    consent_table,
    entry_table,
    followed_table,
    observation_table,
    of_person,
    subject_table,
)
from stores.database import cause_of, write

LOCK_SECONDS = 60
"""How long to wait for the requests that are at a table, before its old rows are overwritten."""

OPERATOR = ""
"""Tenant of entries about the record as a whole."""


def forget(store: Store, before: datetime, *, actor: str, now: datetime) -> int:
    """Delete what forecasts older than a time hold; return how many.

    The entry's salt stays: whoever kept a copy of the answer can still prove that it was given.
    """
    limit = before.isoformat(timespec="seconds")

    def action(connection: sa.Connection) -> int:
        old = (
            entry_table.c.kind == Kind.FORECAST.value,
            entry_table.c.time < limit,
            entry_table.c.content.is_not(None),
        )
        numbers = list(connection.execute(sa.select(entry_table.c.sequence).where(*old)).scalars())
        if not numbers:
            return 0
        connection.execute(sa.update(entry_table).where(*old).values(content=None))
        # What is kept of an answer until its outcome comes goes with it.
        awaited = followed_table.c
        connection.execute(
            sa.delete(followed_table).where(awaited.given_on < limit[:10], awaited.forecast != "")
        )
        details = {
            "rule": "answers of forecasts before a time", "before": limit,
            "entries": ranges_of(numbers), "count": len(numbers),
        }  # fmt: skip
        append(connection, [_event(Kind.RETENTION, OPERATOR, actor, now, details)])
        return len(numbers)

    return write(store.engine, action)


def erase(
    store: Store, tenant: str, subject: str, *, reason: str, actor: str, now: datetime
) -> int:
    """Erase a person; return how many entries were about them.

    Their identifier, all contents and the salts are deleted, so that nothing can be guessed from
    what is left: that there were so many entries, when, by which model. A withdrawal of consent
    stays in force (`serving.state.consent`).

    Raises
    ------
    NotOnRecord
        The tenant has nothing about such a person.
    ServiceUnavailable
        They are erased, but what PostgreSQL keeps of old rows could not be overwritten.
    """

    def action(connection: sa.Connection) -> int:
        theirs = of_person(entry_table, tenant, subject)
        numbers = list(
            connection.execute(sa.select(entry_table.c.sequence).where(*theirs)).scalars()
        )
        if not numbers:
            raise _nothing()
        kept = (
            {KEPT: mark_of_withdrawn(connection, tenant, subject)}
            if is_withdrawn(connection, tenant, subject)
            else {}
        )
        connection.execute(
            sa.update(entry_table).where(*theirs).values(subject=None, content=None, salt=None)
        )
        for table in (subject_table, observation_table, consent_table, *OF_A_PERSON):
            connection.execute(sa.delete(table).where(*of_person(table, tenant, subject)))
        details = {"entries": ranges_of(numbers), "count": len(numbers), "reason": reason, **kept}
        append(connection, [_event(Kind.ERASURE, tenant, actor, now, details)])
        return len(numbers)

    erased = write(store.engine, action)
    _overwrite_old_rows(store.engine)
    return erased


def export(
    store: Store, tenant: str, subject: str, *, actor: str, now: datetime
) -> Sequence[dict[str, Any]]:
    """Return everything on record about a person, oldest first; that it was handed out is recorded.

    Raises
    ------
    NotOnRecord
        The tenant has nothing about such a person.
    """

    def action(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
        rows = connection.execute(
            sa.select(entry_table)
            .where(*of_person(entry_table, tenant, subject))
            .order_by(entry_table.c.sequence)
        ).all()
        if not rows:
            raise _nothing()
        numbers = ranges_of(row.sequence for row in rows)
        details = {"entries": numbers, "count": len(rows)}
        append(connection, [_event(Kind.EXPORT, tenant, actor, now, details)])
        return rows

    # One transaction: what is erased meanwhile is not handed out afterwards as if it were there.
    return [
        {
            "entry": row.sequence,
            "id": row.id,
            "time": row.time,
            "kind": row.kind,
            "actor": row.actor,
            "details": json.loads(row.details),
            "content": None if row.content is None else json.loads(row.content),
        }
        for row in write(store.engine, action)
    ]


def _event(kind: Kind, tenant: str, actor: str, now: datetime, details: dict[str, Any]) -> Event:
    return Event(
        id=new_id(), time=now.isoformat(timespec="seconds"), kind=kind, tenant=tenant,
        actor=actor, details=details,
    )  # fmt: skip


def _nothing() -> NotOnRecord:
    return NotOnRecord(
        "nothing is on record about such a person for this tenant",
        "check the tenant and the identifier, as the caller sends it",
    )


def _overwrite_old_rows(engine: sa.Engine) -> None:
    # SQLite overwrites what is deleted (`secure_delete`); PostgreSQL keeps old rows until a vacuum.
    if engine.dialect.name != "postgresql":
        return
    of_people = (entry_table, subject_table, observation_table, consent_table, *OF_A_PERSON)
    tables = [table.name for table in of_people]
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # The store's own limits are for requests; a large table takes minutes.
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")
            for table in tables:
                connection.exec_driver_sql(f"VACUUM FULL {table}")
            # The next user of this connection gets the store's limits again.
            connection.exec_driver_sql("RESET ALL")
    except sa.exc.DBAPIError as error:
        raise ServiceUnavailable(
            "the person is erased, but the database's files still have the old rows"
            f" ({cause_of(error)})",
            f"run VACUUM FULL {', '.join(tables)} when the database is quiet",
        ) from None
