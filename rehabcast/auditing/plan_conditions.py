"""When to train again and when to go back: what the ledger shows of it; people check the rest.

A plan's conditions are sentences of its authors, and nothing here reads them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contracts.errors import EvidenceMissing
from contracts.naming.model_version import split_version

if TYPE_CHECKING:
    from audits.changes.plan import ChangePlan
    from audits.ledger.records import AuditRecord, Champion
    from rehabcast.settings import Settings


def plan_conditions(settings: Settings, model_version: str) -> str | None:
    """Say what the ledger shows of the conditions of a version's plan; None without a plan."""
    from audits.ledger.changes.plans import read_book
    from rehabcast.identity import open_ledger

    ledger = open_ledger(settings)
    model, _ = split_version(model_version)
    record = read_book(ledger.engine).in_force(model)
    if record is None:
        return None
    try:
        champion = ledger.champion(model)
    except EvidenceMissing:
        return conditions_in_words(record.plan, None, None, now=datetime.now(UTC))
    latest = ledger.latest_audit(champion.model_version)
    return conditions_in_words(record.plan, champion, latest, now=datetime.now(UTC))


def conditions_in_words(
    plan: ChangePlan, champion: Champion | None, latest: AuditRecord | None, *, now: datetime
) -> str:
    """Say what is on record of the version last in service, and what people have to check.

    Parameters
    ----------
    champion, latest
        The version last in service, and its last audit; None where there is none.
    """
    return "\n".join(
        [
            f"Of when to train again or to go back (change plan {plan.version}) the ledger shows:",
            *(f"  {fact}" for fact in _facts(champion, latest, now)),
            "It can't check these conditions of the plan; people have to. Train again when:",
            *(f"  {condition}" for condition in plan.retrain_when.conditions),
            "Go back when:",
            *(f"  {condition}" for condition in plan.rollback.conditions),
        ]
    )


def _facts(champion: Champion | None, latest: AuditRecord | None, now: datetime) -> list[str]:
    if champion is None:
        return ["No version of this model has been in service yet."]
    version, until = champion.model_version, champion.valid_until
    what = "override" if champion.is_override else "audit"
    days = (until - now).days
    facts = [
        f"The {what} of {version} ended on {until:%Y-%m-%d}: train or audit again."
        if until <= now
        else f"The {what} of {version} ends on {until:%Y-%m-%d}, in {days} day(s)."
    ]
    if champion.revoked is not None:
        facts.append(f"{version} was revoked: {champion.revoked}")
    if latest is not None and latest.sequence > champion.sequence:
        facts.append(
            f"{version} was audited again on {latest.recorded_at:%Y-%m-%d}: {latest.outcome}."
        )
    return facts
