"""Moves of the champion, each inside one transaction: swap by epoch, entry in the trail, outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from audits.ledger.records import (
    Approval,
    Champion,
    Role,
    approval_of,
    champion_fields,
    champion_of,
)
from audits.ledger.storage import champion_table, outbox_table
from audits.ledger.trail import APPROVAL, POLICY, PROMOTION, ROLLBACK, all_of, append
from contracts.errors import EvidenceMissing, PromotionRefused


def move(
    connection: sa.Connection,
    champion: Champion,
    *,
    kind: str,
    actor: str,
    now: datetime,
    details: Mapping[str, Any],
) -> Champion:
    """Put a champion in the place of the one with the epoch before, and tell trail and outbox.

    Raises
    ------
    PromotionRefused
        Another move of the model came first.
    """
    fields = champion_fields(champion)
    del fields["sequence"]  # It is the entry's own, known only once it is appended.
    entry = append(
        connection,
        kind=kind,
        about=champion.model_version,
        actor=actor,
        now=now,
        details={**details, "champion": fields},
    )
    placed = replace(champion, sequence=entry.sequence)
    if not _swapped(connection, placed):
        raise PromotionRefused(
            f"{champion.model_version}: another move of {champion.model} came first; look and try"
            " again"
        )
    connection.execute(
        sa.insert(outbox_table).values(sequence=entry.sequence, model=champion.model, sent_at=None)
    )
    return placed


def freeze(
    connection: sa.Connection, version: str, digest: str, *, actor: str, now: datetime
) -> None:
    """Append the digest of a policy, unless it is the last that was appended."""
    frozen = all_of(connection, kind=POLICY)
    if not frozen or frozen[-1].details()["digest"] != digest:
        details = {"digest": digest}
        about = f"policy {version}"
        append(connection, kind=POLICY, about=about, actor=actor, now=now, details=details)


def approvals_of(connection: sa.Connection, model_version: str, audit: int) -> list[Approval]:
    """Return who approved a version after one audit of it, oldest first."""
    told = (approval_of(entry) for entry in all_of(connection, kind=APPROVAL, about=model_version))
    return [approval for approval in told if approval.audit == audit]


def approvers(approvals: list[Approval]) -> dict[Role, str]:
    """Return who approved last in each role."""
    return {approval.role: approval.person for approval in approvals}


def promoted_at_epoch(connection: sa.Connection, model: str, epoch: int) -> Champion:
    """Return the champion that a model's move to an epoch made, as the trail has it.

    Raises
    ------
    EvidenceMissing
        No promotion or rollback of the model made that epoch.
    """
    for kind in (PROMOTION, ROLLBACK):
        for entry in all_of(connection, kind=kind):
            champion = entry.details()["champion"]
            if champion["model"] == model and champion["epoch"] == epoch:
                return champion_of({**champion, "sequence": entry.sequence})
    raise EvidenceMissing(f"{model!r} has had no promotion of epoch {epoch}")


def current(connection: sa.Connection, model: str) -> Champion | None:
    """Return a model's champion, revoked or not; None where there has been none."""
    query = sa.select(champion_table).where(champion_table.c.model == model)
    row = connection.execute(query).one_or_none()
    return None if row is None else champion_of(dict(row._mapping))


def epoch_of(connection: sa.Connection, model: str) -> int:
    """Return how many moves a model has seen."""
    query = sa.select(champion_table.c.epoch).where(champion_table.c.model == model)
    return connection.execute(query).scalar_one_or_none() or 0


def _swapped(connection: sa.Connection, champion: Champion) -> bool:
    """Write a champion over the one whose epoch was seen; tell whether that one was still there."""
    seen, fields = champion.epoch - 1, champion_fields(champion)
    if seen == 0:
        if epoch_of(connection, champion.model) != 0:
            return False
        connection.execute(sa.insert(champion_table).values(fields))
        return True
    columns = champion_table.c
    updated = connection.execute(
        sa.update(champion_table)
        .where(columns.model == champion.model, columns.epoch == seen)
        .values(fields)
    )
    return updated.rowcount == 1
