"""Who has withdrawn consent: no forecast is given for them, and nothing more is put on record."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from contracts.errors import ForecastRefused
from serving.faults import Fault
from serving.state.entries import Event, Kind, append, new_id
from serving.state.tables import consent_table
from stores.database import reading, write

GIVEN: Literal["given"] = "given"
WITHDRAWN: Literal["withdrawn"] = "withdrawn"
State = Literal["given", "withdrawn"]

READ_SECONDS = 1.0
"""How long another worker's or a command's withdrawal may stay unseen here."""

log = logging.getLogger("rehabcast.consent")


def consent_withdrawn() -> ForecastRefused:
    """Return the refusal of whatever concerns a person who has withdrawn consent."""
    return ForecastRefused(
        "this person has withdrawn consent", "treat them without a forecast, or ask them again"
    )


def consent_of(connection: sa.Connection, tenant: str, subject: str) -> str | None:
    """Return what a person has decided; None where nothing is on record."""
    query = sa.select(consent_table.c.state).where(
        consent_table.c.tenant == tenant, consent_table.c.subject == subject
    )
    return connection.execute(query).scalar_one_or_none()


def set_consent(
    engine: sa.Engine, tenant: str, subject: str, state: State, *, actor: str, now: datetime
) -> None:
    """Put on record that a person has given or withdrawn consent."""

    def action(connection: sa.Connection) -> None:
        event = Event(
            id=new_id(),
            time=now.isoformat(timespec="seconds"),
            kind=Kind.CONSENT,
            tenant=tenant,
            actor=actor,
            subject=subject,
            details={},
            content={"state": state},
        )
        append(connection, [event])
        row = {"tenant": tenant, "subject": subject, "state": state}
        if consent_of(connection, tenant, subject) is None:
            connection.execute(sa.insert(consent_table).values(row))
        else:
            connection.execute(
                sa.update(consent_table)
                .where(consent_table.c.tenant == tenant, consent_table.c.subject == subject)
                .values(state=state)
            )

    write(engine, action)


def withdrawn(engine: sa.Engine, tenant: str | None = None) -> list[tuple[str, str]]:
    """Return tenant and subject of everybody who has withdrawn consent."""
    query = sa.select(consent_table.c.tenant, consent_table.c.subject).where(
        consent_table.c.state == WITHDRAWN
    )
    if tenant is not None:
        query = query.where(consent_table.c.tenant == tenant)
    with reading(engine) as connection:
        return [
            (row.tenant, row.subject)
            for row in connection.execute(query.order_by("tenant", "subject"))
        ]


class Consents:
    """Keeps the withdrawals in memory, so that a forecast never waits for the database.

    While the database is away, the withdrawals that were seen before still count.

    Raises
    ------
    SQLAlchemyError
        They cannot be read at the start.
    """

    def __init__(self, engine: sa.Engine, seconds: float = READ_SECONDS) -> None:
        self._engine, self._seconds = engine, seconds
        self._withdrawn = frozenset(withdrawn(engine))
        self.problem: Fault | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consents", daemon=True)
        self._thread.start()

    def require(self, tenant: str, subject: str) -> None:
        """Check that a person has not withdrawn consent.

        Raises
        ------
        ForecastRefused
            They have.
        """
        if (tenant, subject) in self._withdrawn:
            raise consent_withdrawn()

    def set(self, tenant: str, subject: str, state: State, *, actor: str, now: datetime) -> None:
        """Put a person's decision on record; here it counts at once."""
        set_consent(self._engine, tenant, subject, state, actor=actor, now=now)
        self.refresh()

    def refresh(self) -> None:
        """Read the withdrawals again."""
        self._withdrawn = frozenset(withdrawn(self._engine))

    def close(self) -> None:
        """Stop reading."""
        self._closing.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            try:
                self.refresh()
                self.problem = None
            # Whatever it was, the next second tries again, and /readyz shows it meanwhile.
            except Exception as error:
                log.warning("withdrawals of consent cannot be read: %s", type(error).__name__)
                self.problem = Fault(
                    "withdrawals of consent cannot be read: those seen before still count",
                    "check the service's store",
                )
