"""What people have decided about alerts: acknowledged, muted until a date, or shown again.

A decision is an entry of the record, under the name of who decided. An acknowledged alert comes
back when it is a new one (it began after the decision) or has become more urgent; a muted one when
its date has come, or it has become more urgent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from serving.monitoring.alert import Alert
from serving.state.consent import consent_withdrawn, is_withdrawn
from serving.state.entries import Event, Kind, append, new_id
from serving.state.running_record import NotOnRecord, enrolment_day_of
from serving.state.tables import DECISION_COLUMNS, decision_table, of_person
from stores.database import reading, write

ACKNOWLEDGED: Literal["acknowledged"] = "acknowledged"
MUTED: Literal["muted"] = "muted"
Choice = Literal["acknowledged", "muted", "shown again"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The last decision about an alert.

    Parameters
    ----------
    decision
        What was decided.
    person, reason
        By whom, and why.
    until
        Date on which a muted alert comes back; empty of the others.
    day, urgency
        The day since onset on which it was decided, and how urgent the alert was then.
    time
        When it was decided: UTC, ISO 8601.
    """

    decision: Choice
    person: str
    reason: str
    until: str
    day: int
    urgency: int
    time: str

    def hides(self, alert: Alert, today: date) -> bool:
        """Say whether an alert need not be shown."""
        if alert.urgency > self.urgency:
            return False
        if self.decision == MUTED:
            return today.isoformat() < self.until
        return self.decision == ACKNOWLEDGED and alert.since_day <= self.day


def decide(
    engine: sa.Engine, tenant: str, subject: str, alert: Alert, decision: Decision, *, actor: str,
    now: datetime,
) -> None:  # fmt: skip
    """Put a decision about an alert on record.

    Raises
    ------
    ConsentWithdrawn
        The person has withdrawn consent.
    NotOnRecord
        Nothing is on record about them: they were erased since the alert was shown.
    """

    def action(connection: sa.Connection) -> None:
        if is_withdrawn(connection, tenant, subject):
            raise consent_withdrawn()
        if enrolment_day_of(connection, tenant, subject) is None:
            raise NotOnRecord(
                "nothing is on record for this subject",
                "send observations to /v1/observations first",
            )
        key = {"kind": alert.kind.value, "code": alert.code}
        row = {name: getattr(decision, name) for name in DECISION_COLUMNS}
        event = Event(
            id=new_id(), time=now.isoformat(timespec="seconds"), kind=Kind.ALERT, tenant=tenant,
            actor=actor, subject=subject, details={"decision": decision.decision},
            content={**key, **row},
        )  # fmt: skip
        append(connection, [event])
        same = (
            *of_person(decision_table, tenant, subject),
            *(decision_table.c[name] == value for name, value in key.items()),
        )
        connection.execute(sa.delete(decision_table).where(*same))
        connection.execute(
            sa.insert(decision_table).values(tenant=tenant, subject=subject, **key, **row)
        )

    write(engine, action)


def decisions_of(engine: sa.Engine, tenant: str, subject: str) -> dict[str, Decision]:
    """Return the last decision about each alert of a person, by the alert's id."""
    query = sa.select(decision_table).where(*of_person(decision_table, tenant, subject))
    with reading(engine) as connection:
        return {f"{row.kind}:{row.code}": decision_in(row) for row in connection.execute(query)}


def decision_in(row: Any) -> Decision:
    """Return the decision in a row."""
    return Decision(**{name: getattr(row, name) for name in DECISION_COLUMNS})
