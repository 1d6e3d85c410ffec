"""What clinicians decided about next week's exercise at home: entries on the record's chain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from serving.state.consent import consent_withdrawn, is_withdrawn
from serving.state.entries import Event, Kind, append, new_id
from serving.state.tables import entry_table
from stores.database import reading, write

MOST_SHOWN = 10
"""Of the last decisions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseDecision:
    """A decision about next week's exercise.

    Parameters
    ----------
    decision, advised
        What was decided, and what the rules said: an action of
        `contracts.doses.next_week`, or "" where they said nothing.
    rule, because
        The rule that said so, and the facts that it read.
    person, reason
        Who decided, and why; the reason may be empty where the advice was taken.
    last_day
        Since onset, of the exercise on record by then.
    """

    decision: str
    advised: str
    rule: str
    because: Mapping[str, float]
    person: str
    reason: str
    last_day: int


def put(
    engine: sa.Engine, tenant: str, subject: str, decision: ExerciseDecision, *, actor: str,
    now: datetime,
) -> None:  # fmt: skip
    """Put a decision on record.

    Raises
    ------
    ConsentWithdrawn
        The person has withdrawn consent.
    """

    def action(connection: sa.Connection) -> None:
        if is_withdrawn(connection, tenant, subject):
            raise consent_withdrawn()
        event = Event(
            id=new_id(), time=now.isoformat(timespec="seconds"), kind=Kind.EXERCISE, tenant=tenant,
            actor=actor, subject=subject, details={"decision": decision.decision},
            content=asdict(decision),
        )  # fmt: skip
        append(connection, [event])

    write(engine, action)


def decisions(
    engine: sa.Engine, tenant: str, subject: str
) -> Sequence[tuple[str, ExerciseDecision]]:
    """Return the last decisions about a patient with their dates (UTC), the newest first."""
    entry = entry_table.c
    query = (
        sa.select(entry.time, entry.content)
        .where(
            entry.tenant == tenant, entry.subject == subject, entry.content.is_not(None),
            entry.kind == Kind.EXERCISE.value,
        )
        .order_by(entry.sequence.desc())
        .limit(MOST_SHOWN)
    )  # fmt: skip
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return [(row.time[:10], ExerciseDecision(**json.loads(row.content))) for row in rows]
