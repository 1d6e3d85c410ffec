"""Keeps MLflow's alias showing what the ledger says, and tells when a hand has moved it.

The alias is for people who look there; nothing trusts it. A move writes to the outbox in its own
transaction, so that a crash between the ledger and the alias is made good at the next start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from audits.ledger.ledger import Ledger
from audits.ledger.promotions import current
from audits.ledger.records import Champion
from audits.ledger.storage import champion_table, outbox_table
from audits.ledger.trail import DRIFT, append, utc
from stores.database import write


class AliasStore(Protocol):
    """Where the alias lies."""

    def version(self, model: str) -> str | None:
        """Return the version that the alias of a model shows; None where there is none."""

    def show(self, model: str, version: str | None) -> None:
        """Point the alias of a model at a version; None removes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """An alias that shows another version than the ledger's champion, by no move of the ledger."""

    model: str
    found: str | None
    expected: str | None

    def __str__(self) -> str:
        return (
            f"{self.model}: the alias showed {self.found or 'nothing'}, but the ledger says"
            f" {self.expected or 'nothing'}: somebody moved it by hand"
        )


def drifts(ledger: Ledger, store: AliasStore) -> list[Drift]:
    """Return the aliases that were moved past the ledger; changes nothing."""
    return write(ledger.engine, lambda connection: _compared(connection, store)[0])


def catch_up(ledger: Ledger, store: AliasStore, *, actor: str, now: datetime) -> list[Drift]:
    """Make every alias show the ledger's champion; note in the trail, and return, what drifted.

    The ledger's writers wait meanwhile, so that no older champion is shown after a newer one.
    """

    def action(connection: sa.Connection) -> list[Drift]:
        found, champions = _compared(connection, store)
        for drift in found:
            champion = champions[drift.model]
            append(
                connection,
                kind=DRIFT,
                about=champion.model_version,
                actor=actor,
                now=now,
                details={"found": drift.found, "epoch": champion.epoch},
            )
        for model, champion in champions.items():
            if store.version(model) != _shown(champion):
                store.show(model, _shown(champion))
        connection.execute(
            sa.update(outbox_table).where(outbox_table.c.sent_at.is_(None)).values(sent_at=utc(now))
        )
        return found

    return write(ledger.engine, action)


def _compared(
    connection: sa.Connection, store: AliasStore
) -> tuple[list[Drift], dict[str, Champion]]:
    models = sorted(connection.execute(sa.select(champion_table.c.model)).scalars())
    unsent = set(
        connection.execute(
            sa.select(outbox_table.c.model).where(outbox_table.c.sent_at.is_(None))
        ).scalars()
    )
    champions = {m: c for m in models if (c := current(connection, m)) is not None}
    found = [
        Drift(model=model, found=shown, expected=_shown(champion))
        for model, champion in champions.items()
        if model not in unsent and (shown := store.version(model)) != _shown(champion)
    ]
    return found, champions


def _shown(champion: Champion) -> str | None:
    return champion.version if champion.revoked is None else None
