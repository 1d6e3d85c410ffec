"""Restrictions, suspensions and warnings: one transaction each, with the evidence attached.

Neither needs a person's signature: in doubt taking a version out of service must be easy. Bringing
it back needs the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from audits.ledger.evidence.once import append_once
from audits.ledger.evidence.restrictions import Restricted, restrictions
from audits.ledger.identity import TRIAL, Identities
from audits.ledger.promotions import current_champion, replace_champion
from audits.ledger.records import Champion
from audits.ledger.trail import (
    CHAMPION_CHANGES,
    RESTRICTION,
    SUSPENSION,
    WARNING,
    entries,
    utc,
)
from contracts.errors import EvidenceMissing, PromotionRefused
from stores.database import reading, write


def suspend(
    engine: sa.Engine,
    seen: Champion,
    *,
    why: str,
    evidence: Mapping[str, Any],
    actor: str,
    now: datetime,
    identities: Identities = TRIAL,
) -> Champion:
    """Take a champion out of service because of its outcomes.

    Parameters
    ----------
    engine
        Of the ledger's database.
    seen
        The champion that the evidence is about.
    evidence
        The e-values and what they rest on; nothing about a person.

    Raises
    ------
    EvidenceMissing, PromotionRefused
        It is withdrawn already, or another change came first.
    """

    def action(connection: sa.Connection) -> Champion:
        serving = _still(connection, seen)
        champion = replace(serving, epoch=serving.epoch + 1, revoked=why)
        return replace_champion(
            connection, champion, kind=SUSPENSION, actor=actor, now=now,
            details={"evidence": dict(evidence)}, identify=identities.offered(actor),
        )  # fmt: skip

    return write(engine, action)


def restrict(
    engine: sa.Engine,
    seen: Champion,
    groups: Sequence[Restricted],
    *,
    evidence: Mapping[str, Any],
    actor: str,
    now: datetime,
    identities: Identities = TRIAL,
) -> Champion:
    """Take groups out of the scope of a champion because of their outcomes.

    Raises
    ------
    EvidenceMissing, PromotionRefused
        As `suspend`.
    """

    def action(connection: sa.Connection) -> Champion:
        serving = _still(connection, seen)
        details = {
            "restricted": [{**asdict(each), "rules": list(each.rules)} for each in groups],
            "evidence": dict(evidence),
        }
        return replace_champion(
            connection, replace(serving, epoch=serving.epoch + 1), kind=RESTRICTION, actor=actor,
            now=now, details=details, identify=identities.offered(actor),
        )  # fmt: skip

    return write(engine, action)


def warn(
    engine: sa.Engine,
    champion: Champion,
    what: str,
    *,
    evidence: Mapping[str, Any],
    actor: str,
    now: datetime,
    identities: Identities = TRIAL,
) -> bool:
    """Record a warning, once for all the time since the promotion; return whether it is new.

    Parameters
    ----------
    what
        What it is about; each is recorded once.
    """
    details = {"what": what, "promoted_at": utc(champion.promoted_at), "evidence": dict(evidence)}
    return append_once(
        engine, champion, WARNING, details, ("what", "promoted_at"),
        actor=actor, now=now, identities=identities,
    )  # fmt: skip


def restricted_now(engine: sa.Engine, champion: Champion) -> tuple[Restricted, ...]:
    """Return the groups that outcomes have taken out of a champion's scope."""
    with reading(engine) as connection:
        return restrictions(entries(connection, CHAMPION_CHANGES)).get(champion.sequence, ())


def _still(connection: sa.Connection, seen: Champion) -> Champion:
    serving = current_champion(connection, seen.model)
    if serving is None or serving.revoked is not None:
        raise EvidenceMissing(
            f"{seen.model!r} has no champion to take out of service",
            "`rehabcast ledger show` lists the changes of the champion",
        )
    if serving.sequence != seen.sequence:
        raise PromotionRefused(
            f"{seen.model_version}: another change of the champion of {seen.model} came first",
            "look at the champion now (`rehabcast ledger show`), then run it again",
        )
    return serving
