"""Keeps MLflow's alias in step with the ledger, and reports when it was changed by hand.

The alias is for people who look there; nothing relies on it. A change of the champion is written to
the outbox in its own transaction, so that the alias catches up at the next start after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from audits.ledger.ledger import Ledger
from audits.ledger.promotions import current_champion
from audits.ledger.records import Champion
from audits.ledger.storage import champion_table, outbox_table
from audits.ledger.trail import DRIFT, append, utc
from stores.database import write


class AliasStore(Protocol):
    """Where aliases are kept."""

    def version(self, model: str) -> str | None:
        """Return the version that a model's alias points at; None where there is none."""

    def set_version(self, model: str, version: str | None) -> None:
        """Point a model's alias at a version; None removes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """An alias that points at another version than the ledger's champion."""

    model: str
    found: str | None
    expected: str | None

    def __str__(self) -> str:
        return (
            f"{self.model}: the alias pointed at {_version(self.found)}, but the champion in the"
            f" ledger is {_version(self.expected)}; it was changed by hand"
        )


def find_drift(ledger: Ledger, store: AliasStore) -> list[Drift]:
    """Return the aliases that were changed by hand; change nothing."""
    return write(ledger.engine, lambda connection: _compared(connection, store)[0])


def mirror_aliases(ledger: Ledger, store: AliasStore, *, actor: str, now: datetime) -> list[Drift]:
    """Point every alias at the ledger's champion; record in the trail, and return, what drifted.

    The ledger's other writers wait, so that no alias is set to an older champion after a newer one.
    """

    def action(connection: sa.Connection) -> list[Drift]:
        drifted, champions = _compared(connection, store)
        for drift in drifted:
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
            if store.version(model) != _in_service(champion):
                store.set_version(model, _in_service(champion))
        connection.execute(
            sa.update(outbox_table).where(outbox_table.c.sent_at.is_(None)).values(sent_at=utc(now))
        )
        return drifted

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
    champions = {m: c for m in models if (c := current_champion(connection, m)) is not None}
    drifted = [
        Drift(model=model, found=version, expected=_in_service(champion))
        for model, champion in champions.items()
        if model not in unsent and (version := store.version(model)) != _in_service(champion)
    ]
    return drifted, champions


def _version(version: str | None) -> str:
    return "no version" if version is None else f"version {version}"


def _in_service(champion: Champion) -> str | None:
    return champion.version if champion.revoked is None else None
