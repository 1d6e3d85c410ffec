"""A model's champion after a change of it, as commands report it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from audits.ledger.ledger import Ledger
    from audits.ledger.records import Champion
    from contracts.scope import Scope
    from contracts.verdict import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideResult:
    """The override that a champion is in service by."""

    approver: str | None
    reason: str | None
    until: datetime | None
    restricted_use: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionResult:
    """A model's champion after a promotion, revocation or rollback.

    Parameters
    ----------
    model_version, epoch
        `NAME/N`, and the number of the change.
    bundle_digest, report_digest, audit_outcome
        What was audited, the report, and its outcome.
    approved_by
        Who approved, by role.
    scope
        For whom it passed; None where somebody answers for everyone.
    override
        None where the audit passed.
    valid_until
        When the audit or the override expires.
    revoked
        Why it was taken out of service; None while it is in service.
    names_verified
        Whether people sign with their own keys; False in a one-person trial.
    alias_shows_it
        Whether MLflow's alias shows the change too; False where MLflow did not answer.
    """

    model_version: str
    epoch: int
    bundle_digest: str
    report_digest: str
    audit_outcome: Outcome
    scope: Scope | None
    approved_by: Mapping[str, str]
    override: OverrideResult | None
    valid_until: datetime
    revoked: str | None
    names_verified: bool
    alias_shows_it: bool


def in_service(result: PromotionResult) -> str:
    """Return what a promotion did, by whom, for whom and until when, in words."""
    from audits.judging.wording import scope_in_words

    people = ", ".join(f"{person} ({role})" for role, person in result.approved_by.items())
    lines = [
        f"{result.model_version} is the champion (epoch {result.epoch}), approved by {people},"
        f" until {result.valid_until.isoformat()}.",
        f"Audit: {result.audit_outcome}.",
        *(scope_in_words(result.scope) if result.scope is not None else ()),
    ]
    if result.override is not None:
        lines.append(
            f"Override by {result.override.approver}: {result.override.reason} Only for:"
            f" {result.override.restricted_use}"
        )
    if not result.names_verified:
        lines.append("Names are not verified (one-person trial).")
    return escape("\n".join(lines))


def _scope(champion: Champion, ledger: Ledger) -> Scope | None:
    """Return for whom the audit passed that a champion rests on."""
    audit = ledger.latest_audit(champion.model_version)
    if audit is None or audit.report_digest != champion.report_digest:
        return None
    return audit.scope


def promotion_result(champion: Champion, ledger: Ledger, *, is_mirrored: bool) -> PromotionResult:
    """Return a champion as these commands report it."""
    return PromotionResult(
        model_version=champion.model_version,
        epoch=champion.epoch,
        bundle_digest=champion.bundle_digest,
        report_digest=champion.report_digest,
        audit_outcome=champion.outcome,
        scope=None if champion.is_override else _scope(champion, ledger),
        approved_by={"ml-owner": champion.ml_owner, "governance": champion.governance},
        override=OverrideResult(
            approver=champion.approver,
            reason=champion.reason,
            until=champion.override_until,
            restricted_use=champion.restricted_use,
        )
        if champion.is_override
        else None,
        valid_until=champion.valid_until,
        revoked=champion.revoked,
        names_verified=ledger.identities.people is not None,
        alias_shows_it=is_mirrored,
    )
