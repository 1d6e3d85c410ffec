"""Changes of the champion, each in one transaction: swap by epoch, entry in the trail, outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from audits.ledger.identity import Identify, not_verified
from audits.ledger.people import same_person
from audits.ledger.records import Champion, champion_fields, champion_of
from audits.ledger.storage import champion_table, outbox_table
from audits.ledger.trail import AUDIT, PROMOTION, ROLLBACK, append, entries_of, latest, utc
from contracts.errors import EvidenceMissing, PromotionRefused


def replace_champion(
    connection: sa.Connection,
    champion: Champion,
    *,
    kind: str,
    actor: str,
    now: datetime,
    details: Mapping[str, Any],
    identify: Identify = not_verified,
) -> Champion:
    """Replace the champion of the epoch before, and write the change to trail and outbox.

    Raises
    ------
    PromotionRefused
        The champion was changed in the meantime, or one person approved it in both roles.
    """
    # The database's own constraint compares letters only, as SQL does.
    if same_person(champion.ml_owner, champion.governance):
        raise PromotionRefused(
            f"{champion.model_version}: {champion.ml_owner} and {champion.governance} are one"
            " person",
            "have two people approve it",
        )
    fields = champion_fields(champion)
    del fields["sequence"]  # It is the entry's own, known only once it is appended.
    entry = append(
        connection,
        kind=kind,
        about=champion.model_version,
        actor=actor,
        now=now,
        details={**details, "champion": fields},
        identify=identify,
    )
    recorded = replace(champion, sequence=entry.sequence)
    if not _swapped(connection, recorded):
        raise PromotionRefused(
            f"{champion.model_version}: another change of the champion of {champion.model} came"
            " first",
            "look at the champion now (`rehabcast ledger show`), then try again",
        )
    connection.execute(
        sa.insert(outbox_table).values(sequence=entry.sequence, model=champion.model, sent_at=None)
    )
    return recorded


def promoted_at_epoch(connection: sa.Connection, model: str, epoch: int) -> Champion:
    """Return the champion that a promotion or rollback to an epoch made, from the trail.

    Raises
    ------
    EvidenceMissing
        No promotion or rollback of the model made that epoch.
    """
    for kind in (PROMOTION, ROLLBACK):
        for entry in entries_of(connection, kind=kind):
            champion = entry.details()["champion"]
            if champion["model"] == model and champion["epoch"] == epoch:
                return champion_of({**champion, "sequence": entry.sequence})
    raise EvidenceMissing(
        f"{model!r} has no promotion of epoch {epoch}",
        "`rehabcast ledger show --json` lists the promotions with their epochs",
    )


def restored(
    connection: sa.Connection, model: str, to_epoch: int, *, epoch: int, now: datetime
) -> Champion:
    """Return the champion of an earlier epoch as that of a later one.

    Raises
    ------
    EvidenceMissing
        There was no such epoch.
    PromotionRefused
        An audit of the version was recorded since.
    """
    earlier = promoted_at_epoch(connection, model, to_epoch)
    audit = latest(connection, kind=AUDIT, about=earlier.model_version)
    if audit is None or audit.sequence > earlier.sequence:
        raise PromotionRefused(
            f"{earlier.model_version}: another audit was recorded in the meantime",
            "read its report, then try again",
        )
    return replace(earlier, epoch=epoch, promoted_at=datetime.fromisoformat(utc(now)))


def current_champion(connection: sa.Connection, model: str) -> Champion | None:
    """Return a model's champion, revoked or not; None where there has been none."""
    query = sa.select(champion_table).where(champion_table.c.model == model)
    row = connection.execute(query).one_or_none()
    return None if row is None else champion_of(dict(row._mapping))


def epoch_of(connection: sa.Connection, model: str) -> int:
    """Return how often the champion of a model has changed."""
    query = sa.select(champion_table.c.epoch).where(champion_table.c.model == model)
    return connection.execute(query).scalar_one_or_none() or 0


def _swapped(connection: sa.Connection, champion: Champion) -> bool:
    """Overwrite the champion of the epoch before; return whether it was still there."""
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
