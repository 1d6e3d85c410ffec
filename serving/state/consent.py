"""Who has withdrawn consent: no forecast is given for them, and nothing more is put on record.

A withdrawal outlives the erasure of the person: what is kept is a digest, keyed with a random salt
of the tenant, by which the same identifier is known again. Whoever reads the record can find out
whether an identifier that they already have is among them, and nothing else.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from contracts.errors import ForecastRefused, IntegrityError
from serving.faults import Fault, place_of
from serving.state.entries import Event, Kind, append, keyed, new_id
from serving.state.tables import COMPUTED, PUSHED, consent_table, entry_table, of_person
from stores.database import reading, write

GIVEN: Literal["given"] = "given"
WITHDRAWN: Literal["withdrawn"] = "withdrawn"
State = Literal["given", "withdrawn"]

READ_SECONDS = 1.0
"""How long another worker's or a command's withdrawal may stay unseen here."""

KEPT, GIVEN_AGAIN = "withdrawn", "given_again"
"""Details of an erasure whose person had withdrawn, and of the consent that such a person gives."""

log = logging.getLogger("rehabcast.consent")


class ConsentWithdrawn(ForecastRefused):
    """The person has withdrawn consent; who it is must not be put on record with the refusal."""


_Digests = dict[str, dict[str, set[str]]]
"""By tenant and salt, of which a tenant has one."""


class KeptWithdrawals:
    """Withdrawals of people who were erased since."""

    def __init__(self) -> None:
        self._read_to = 0
        self._digests: _Digests = {}

    def has(self, tenant: str, subject: str) -> bool:
        """Say whether a person was erased after a withdrawal, and has not consented since."""
        return any(
            keyed(salt, KEPT, subject) in digests
            for salt, digests in self._digests.get(tenant, {}).items()
        )

    def mark(self, tenant: str, subject: str) -> dict[str, str]:
        """Return what an entry keeps of a person."""
        salt = next(iter(self._digests.get(tenant, {})), "") or secrets.token_hex(32)
        return {"salt": salt, "digest": keyed(salt, KEPT, subject)}

    def read(self, connection: sa.Connection, tenant: str | None = None) -> None:
        """Read what the record has had since the last time, of one tenant or of all.

        Raises
        ------
        IntegrityError
            The record is shorter than it was, or an entry cannot be read.
        """
        length = connection.execute(sa.select(sa.func.max(entry_table.c.sequence))).scalar() or 0
        if length < self._read_to:
            raise IntegrityError("the record is shorter than it was", "restore it from a backup")
        if self._digests or self._find(connection, (Kind.ERASURE,), KEPT, tenant):
            # Others read while this is written: they see the old one or the new one.
            self._digests = _with(
                self._digests,
                self._find(connection, (Kind.ERASURE, Kind.CONSENT), '"digest"', tenant),
            )
        self._read_to = length

    def _find(
        self, connection: sa.Connection, kinds: tuple[Kind, ...], text: str, tenant: str | None
    ) -> list[tuple[str, str]]:
        query = sa.select(entry_table.c.tenant, entry_table.c.details).where(
            entry_table.c.kind.in_([kind.value for kind in kinds]),
            entry_table.c.sequence > self._read_to,
            entry_table.c.details.contains(text),
        )
        if tenant is not None:
            query = query.where(entry_table.c.tenant == tenant)
        rows = connection.execute(query.order_by(entry_table.c.sequence))
        return [(row.tenant, row.details) for row in rows]


def _with(digests: _Digests, rows: list[tuple[str, str]]) -> _Digests:
    more = {
        tenant: {salt: set(of_salt) for salt, of_salt in of_tenant.items()}
        for tenant, of_tenant in digests.items()
    }
    for tenant, text in rows:
        try:
            details = json.loads(text)
            mark = details.get(KEPT) or details[GIVEN_AGAIN]
            of_salt = more.setdefault(tenant, {}).setdefault(mark["salt"], set())
            (of_salt.add if KEPT in details else of_salt.discard)(mark["digest"])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise IntegrityError(
                "an entry of the record cannot be read", "run `rehabcast record verify`"
            ) from None
    return more


def is_withdrawn(connection: sa.Connection, tenant: str, subject: str) -> bool:
    """Say whether a person's last decision is a withdrawal, before an erasure or since."""
    state = consent_of(connection, tenant, subject)
    return _kept(connection, tenant).has(tenant, subject) if state is None else state == WITHDRAWN


def mark_of_withdrawn(connection: sa.Connection, tenant: str, subject: str) -> dict[str, str]:
    """Return what the erasure of a person who has withdrawn consent keeps of them."""
    return _kept(connection, tenant).mark(tenant, subject)


def _kept(connection: sa.Connection, tenant: str) -> KeptWithdrawals:
    kept = KeptWithdrawals()
    kept.read(connection, tenant)
    return kept


def consent_withdrawn() -> ConsentWithdrawn:
    """Return the refusal of whatever concerns a person who has withdrawn consent."""
    return ConsentWithdrawn(
        "this person has withdrawn consent", "treat them without a forecast, or ask them again"
    )


def consent_of(connection: sa.Connection, tenant: str, subject: str) -> str | None:
    """Return what a person has decided; None where nothing is on record."""
    query = sa.select(consent_table.c.state).where(*of_person(consent_table, tenant, subject))
    return connection.execute(query).scalar_one_or_none()


def set_consent(
    engine: sa.Engine, tenant: str, subject: str, state: State, *, actor: str, now: datetime
) -> None:
    """Put on record that a person has given or withdrawn consent."""

    def action(connection: sa.Connection) -> None:
        kept = _kept(connection, tenant)
        returns = state == GIVEN and kept.has(tenant, subject)
        event = Event(
            id=new_id(),
            time=now.isoformat(timespec="seconds"),
            kind=Kind.CONSENT,
            tenant=tenant,
            actor=actor,
            subject=subject,
            details={GIVEN_AGAIN: kept.mark(tenant, subject)} if returns else {},
            content={"state": state},
        )
        append(connection, [event])
        row = {"tenant": tenant, "subject": subject, "state": state}
        if consent_of(connection, tenant, subject) is None:
            connection.execute(sa.insert(consent_table).values(row))
        else:
            connection.execute(
                sa.update(consent_table)
                .where(*of_person(consent_table, tenant, subject))
                .values(state=state)
            )
        if state == WITHDRAWN:
            for table in (*COMPUTED, *PUSHED):
                connection.execute(sa.delete(table).where(*of_person(table, tenant, subject)))

    write(engine, action)


def withdrawn(engine: sa.Engine, tenant: str | None = None) -> list[tuple[str, str]]:
    """Return tenant and subject of everybody who has withdrawn consent and was not erased since."""
    with reading(engine) as connection:
        return _withdrawn(connection, tenant)


def _withdrawn(connection: sa.Connection, tenant: str | None = None) -> list[tuple[str, str]]:
    query = sa.select(consent_table.c.tenant, consent_table.c.subject).where(
        consent_table.c.state == WITHDRAWN
    )
    if tenant is not None:
        query = query.where(consent_table.c.tenant == tenant)
    return [
        (row.tenant, row.subject) for row in connection.execute(query.order_by("tenant", "subject"))
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
        self.problem: Fault | None = None
        self._kept = KeptWithdrawals()
        self._reading = threading.Lock()
        self.refresh()
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
        if (tenant, subject) in self._withdrawn or self._kept.has(tenant, subject):
            raise consent_withdrawn()

    def set(self, tenant: str, subject: str, state: State, *, actor: str, now: datetime) -> None:
        """Put a person's decision on record; here it counts at once."""
        set_consent(self._engine, tenant, subject, state, actor=actor, now=now)
        self.refresh()

    def refresh(self) -> None:
        """Read the withdrawals again."""
        with self._reading, reading(self._engine) as connection:
            self._kept.read(connection)
            self._withdrawn = frozenset(_withdrawn(connection))

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
                log.warning("withdrawals of consent cannot be read: %s", place_of(error))
                self.problem = Fault(
                    "withdrawals of consent cannot be read: those seen before still count",
                    "check the service's store",
                )
