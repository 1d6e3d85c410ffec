"""Keeps MLflow's alias in step with the ledger, and reports when it was changed by hand.

The alias is for people who look there; nothing relies on it. A change of the champion is written to
the outbox in its own transaction, so that the alias catches up after a crash, or when MLflow
answers again. MLflow is asked outside every transaction: where it hangs, nobody waits for the
ledger's lock.
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
from stores.database import reading, write


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
            f" ledger is {_version(self.expected)}; it was changed by hand, or by an update that"
            " was cut short"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What an alias ought to show.

    Parameters
    ----------
    champion
        Of the ledger, revoked or not.
    change
        Number of the model's last row in the outbox.
    is_sent
        Whether the alias has shown that change before.
    """

    champion: Champion
    change: int
    is_sent: bool

    @property
    def version(self) -> str | None:
        """The version in service; None where the champion is revoked."""
        return self.champion.version if self.champion.revoked is None else None


def find_drift(ledger: Ledger, store: AliasStore) -> list[Drift]:
    """Return the aliases that were changed by hand; change nothing."""
    found = []
    for model in _models(ledger):
        wanted = _wanted(ledger, model)
        shown = store.version(model)
        # A promotion in between explains another version: nobody's hand is needed for it.
        if wanted.is_sent and shown != wanted.version and _wanted(ledger, model) == wanted:
            found.append(Drift(model=model, found=shown, expected=wanted.version))
    return found


def mirror_aliases(ledger: Ledger, store: AliasStore, *, actor: str, now: datetime) -> list[Drift]:
    """Point every alias at the ledger's champion; record in the trail, and return, what drifted.

    A model whose alias cannot be set keeps no other from being set; its change stays in the outbox.

    Raises
    ------
    Exception
        What the store raised for the first such model, after all others were set.
    """
    drifted: list[Drift] = []
    failures: list[Exception] = []
    for model in _models(ledger):
        try:
            drifted += _mirror(ledger, store, model, actor=actor, now=now)
        # Any failure of the store, which is not ours.
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return drifted


def _mirror(
    ledger: Ledger, store: AliasStore, model: str, *, actor: str, now: datetime
) -> list[Drift]:
    """Set one alias until it shows what the ledger says after it was set."""
    drifted: list[Drift] = []
    has_set = False
    while True:
        wanted = _wanted(ledger, model)
        shown = store.version(model)
        if shown != wanted.version:
            if wanted.is_sent and not has_set:
                drift = Drift(model=model, found=shown, expected=wanted.version)
                if _record(ledger, drift, wanted, actor=actor, now=now):
                    drifted.append(drift)
                continue
            store.set_version(model, wanted.version)
            has_set = True
        if wanted.is_sent and not has_set:
            return drifted
        # Another writer may have set a newer champion just before: then this one was set last.
        if _settle(ledger, wanted, now):
            return drifted


def _models(ledger: Ledger) -> list[str]:
    with reading(ledger.engine) as connection:
        return sorted(connection.execute(sa.select(champion_table.c.model)).scalars())


def _wanted(ledger: Ledger, model: str) -> _Wanted:
    with reading(ledger.engine) as connection:
        return _wanted_now(connection, model)


def _wanted_now(connection: sa.Connection, model: str) -> _Wanted:
    champion = current_champion(connection, model)
    if champion is None:
        raise LookupError(model)
    columns = outbox_table.c
    of_model = sa.select(
        sa.func.max(columns.sequence), sa.func.count(), sa.func.count(columns.sent_at)
    )
    last, changes, sent = connection.execute(of_model.where(columns.model == model)).one()
    return _Wanted(champion=champion, change=last or 0, is_sent=changes == sent)


def _record(ledger: Ledger, drift: Drift, wanted: _Wanted, *, actor: str, now: datetime) -> bool:
    """Record a drift before it is set right; False where the ledger has changed meanwhile.

    It goes to the outbox too: a store that answers but cannot be written to is one drift, however
    often it is tried, and so are several processes that see it at once.
    """

    def action(connection: sa.Connection) -> bool:
        if _wanted_now(connection, drift.model) != wanted:
            return False
        entry = append(
            connection,
            kind=DRIFT,
            about=wanted.champion.model_version,
            actor=actor,
            now=now,
            details={"found": drift.found, "epoch": wanted.champion.epoch},
        )
        row = {"sequence": entry.sequence, "model": drift.model, "sent_at": None}
        connection.execute(sa.insert(outbox_table).values(row))
        return True

    return write(ledger.engine, action)


def _settle(ledger: Ledger, wanted: _Wanted, now: datetime) -> bool:
    """Note that an alias shows the last change; False where there is a newer one."""

    def action(connection: sa.Connection) -> bool:
        columns, model = outbox_table.c, wanted.champion.model
        if _wanted_now(connection, model).change != wanted.change:
            return False
        connection.execute(
            sa.update(outbox_table)
            .where(columns.model == model, columns.sent_at.is_(None))
            .values(sent_at=utc(now))
        )
        return True

    return write(ledger.engine, action)


def _version(version: str | None) -> str:
    return "no version" if version is None else f"version {version}"
