"""The gate: what must be true before a version may be served. There is no other way to promote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from audits.ledger.changes.plans import require_within_plan
from audits.ledger.ledger import Ledger
from audits.ledger.people import same_person
from audits.ledger.records import (
    Approval,
    AuditRecord,
    Champion,
    Override,
    Role,
)
from audits.ledger.trail import utc
from contracts.errors import PromotionRefused
from contracts.naming.model_version import split_version
from contracts.verdict import Outcome, Verdict
from stores.database import reading

MAX_REASONS = 5
"""Findings named in a refusal; the report has all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedEvidence:
    """The evidence at the time of promotion; its signatures have been verified.

    Parameters
    ----------
    bundle_digest
        Of the bundle's bytes.
    report, report_digest
        The audit report's verdict, and the digest of its bytes.
    policy_digest
        Of the policy in force.
    """

    bundle_digest: str
    report: Verdict
    report_digest: str
    policy_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the gate does not let a version through, and what to do."""

    reason: str
    what_to_do: str


def promote(
    ledger: Ledger,
    *,
    model_version: str,
    presented: PresentedEvidence,
    actor: str,
    now: datetime,
    override: Override | None = None,
) -> Champion:
    """Make a version the champion if its audit allows it and two people have approved it.

    Parameters
    ----------
    ledger
        Where audits, approvals and champions are on record.
    model_version, presented
        `NAME/N`, and its bundle and report as they are now.
    actor, now
        Who promotes, and when.
    override
        Needed for an audit that neither passed nor was blocked, and used only then. A blocked audit
        cannot be overridden, because it has shown harm and not merely doubt.

    Raises
    ------
    PromotionRefused
        There is no audit of this version, bundle, report and policy; it has expired or holds the
        version back; an approval is missing; the version is outside of the change plan of its line,
        which no override replaces; or the champion or the audit was replaced in the meantime.
        Nothing changed.
    """
    # The epoch is read first, so that any later change makes the swap fail.
    seen_epoch = ledger.epoch(split_version(model_version)[0])
    audit = ledger.latest_audit(model_version)
    if audit is None:
        raise PromotionRefused(f"{model_version} has no audit", _audit_again(model_version))
    moment = datetime.fromisoformat(utc(now))
    refusal = mismatch(audit, presented)
    if refusal is None and audit.outcome is not Outcome.BLOCKED:
        # Before approvals and overrides are asked for: neither replaces a plan.
        with reading(ledger.engine) as connection:
            people = ledger.identities.people
            require_within_plan(connection, audit, presented.report.change, people)
    refusal = (
        refusal
        or audit_refusal(audit, now=moment, override=override)
        or missing_approval(audit, ledger.approvals(audit))
        or _revocation(ledger, audit)
        or _unsigned_override(ledger, override, actor)
    )
    if refusal is not None:
        raise PromotionRefused(f"{model_version}: {refusal.reason}", refusal.what_to_do)
    needed = None if audit.outcome.is_pass else override
    # The plan is looked up where the champion is replaced: either may have changed by now.
    return ledger.promote(
        audit, seen_epoch=seen_epoch, actor=actor, now=moment, override=needed,
        compared=presented.report.change,
    )  # fmt: skip


def roll_back(
    ledger: Ledger, model: str, to_epoch: int, *, actor: str, reason: str, now: datetime
) -> Champion:
    """Make the champion of an earlier epoch the champion again; its approvals are still valid.

    Raises
    ------
    PromotionRefused
        Its audit or override has expired, a later audit replaced it or it was revoked since; or the
        champion was changed in the meantime.
    EvidenceMissing
        There was no such epoch.
    ContractError
        The version was promoted in another spelling, such as `arm/01`: promote it again as it is.
    """
    seen_epoch = ledger.epoch(model)
    earlier = ledger.at_epoch(model, to_epoch)
    split_version(earlier.model_version)
    moment = datetime.fromisoformat(utc(now))
    refusal = _rollback_refusal(ledger, earlier, now=moment)
    if refusal is not None:
        raise PromotionRefused(
            f"{earlier.model_version} (epoch {to_epoch}): {refusal.reason}", refusal.what_to_do
        )
    return ledger.roll_back(
        model, to_epoch, seen_epoch=seen_epoch, actor=actor, reason=reason, now=moment
    )


def mismatch(audit: AuditRecord, presented: PresentedEvidence) -> Refusal | None:
    """Return what differs from what was audited; None where nothing does."""
    report = presented.report
    reason = None
    if report.model_version != audit.model_version:
        reason = f"the report is of {report.model_version}"
    elif presented.report_digest != audit.report_digest:
        reason = "the report is not the one from its last audit: it is older, or was changed"
    elif presented.bundle_digest != audit.bundle_digest:
        reason = f"the bundle is not the one that was audited ({presented.bundle_digest[:12]})"
    elif presented.policy_digest != audit.policy_digest:
        reason = f"the policy has changed since its audit ({audit.policy_digest[:12]})"
    elif (report.bundle_digest, report.policy_digest, report.outcome, report.scope) != (
        audit.bundle_digest,
        audit.policy_digest,
        audit.outcome,
        audit.scope,
    ):
        reason = "the report differs from the ledger"
    if reason is None:
        return None
    return Refusal(reason=reason, what_to_do=_audit_again(audit.model_version))


def audit_refusal(
    audit: AuditRecord, *, now: datetime, override: Override | None
) -> Refusal | None:
    """Return why an audit does not let its version through; None where it does."""
    if not audit.recorded_at <= now < audit.valid_until:
        period = f"from {audit.recorded_at.isoformat()} to {audit.valid_until.isoformat()}"
        return Refusal(
            reason=f"its audit is valid {period}, not now",
            what_to_do=_audit_again(audit.model_version),
        )
    if audit.outcome.is_pass:
        return None
    if audit.outcome in {Outcome.INSUFFICIENT, Outcome.REVIEW} and override is not None:
        if override.until <= now:
            return Refusal(
                reason=f"the override expired at {override.until.isoformat()}",
                what_to_do="give a later end with --until DATE",
            )
        return None
    return Refusal(
        reason=f"these findings hold it back:\n{_held_back(audit)}\nThe outcome of its audit is"
        f" {audit.outcome}",
        what_to_do=_next_step(audit),
    )


def missing_approval(audit: AuditRecord, approvals: list[Approval]) -> Refusal | None:
    """Return which approval is missing; None where two people have approved."""
    people = {approval.role: approval.person for approval in approvals}
    for role in Role:
        if role not in people:
            return Refusal(
                reason=f"nobody has approved it as {role}",
                what_to_do=f"run `rehabcast approve {audit.model_version} --role {role} --reason"
                " TEXT`",
            )
    if same_person(people[Role.ML_OWNER], people[Role.GOVERNANCE]):
        return Refusal(
            reason=f"{people[Role.ML_OWNER]} approved it in both roles",
            what_to_do="have two different people approve it",
        )
    return None


def _revocation(ledger: Ledger, audit: AuditRecord) -> Refusal | None:
    how = ledger.withdrawn_since(audit.model_version, audit.sequence)
    if how is None:
        return None
    return Refusal(
        reason=f"it was {how} after its audit",
        what_to_do=_audit_again(audit.model_version),
    )


def _unsigned_override(ledger: Ledger, override: Override | None, actor: str) -> Refusal | None:
    """Where people have keys, who answers for an override signs its promotion."""
    people = ledger.identities.people
    if override is None or people is None or same_person(override.approver, actor):
        return None
    return Refusal(
        reason=f"{override.approver} answers for the override, but {actor} promotes",
        what_to_do=f"have {override.approver} run `rehabcast promote` with their own key",
    )


def _rollback_refusal(ledger: Ledger, earlier: Champion, *, now: datetime) -> Refusal | None:
    audit = ledger.latest_audit(earlier.model_version)
    # By its place in the trail: two audits may have one report, and be valid for different times.
    if audit is None or audit.sequence > earlier.sequence:
        return Refusal(
            reason="a later audit replaced the one that it rests on",
            what_to_do="approve and promote it again",
        )
    if now < audit.recorded_at:
        return Refusal(
            reason=f"its audit is of {audit.recorded_at.isoformat()}, which is still to come",
            what_to_do="set this machine's clock right",
        )
    if now >= earlier.valid_until:
        return Refusal(
            reason=f"its audit or override was valid until {earlier.valid_until.isoformat()}",
            what_to_do=f"{_audit_again(earlier.model_version)}, then approve and promote it again",
        )
    if (how := ledger.withdrawn_since(earlier.model_version, earlier.sequence)) is not None:
        return Refusal(
            reason=f"it was {how} since",
            what_to_do="audit, approve and promote it again",
        )
    return None


def _audit_again(model_version: str) -> str:
    return f"run `rehabcast audit {model_version}`"


def _held_back(audit: AuditRecord) -> str:
    named = [f"  {reason}" for reason in audit.held_back_by[:MAX_REASONS]]
    rest = len(audit.held_back_by) - MAX_REASONS
    return "\n".join([*named, f"  ... and {rest} more in its report"] if rest > 0 else named)


def _next_step(audit: AuditRecord) -> str:
    if audit.outcome is Outcome.BLOCKED:
        return (
            "a blocked audit cannot be overridden; correct the model, train again and run"
            " `rehabcast audit NAME/N` on the new version"
        )
    return (
        "train a version on more people and audit it; or have a named person take responsibility"
        " for this one, for a limited time and a stated use: `rehabcast promote"
        f" {audit.model_version} --approver NAME --reason TEXT --until DATE --restricted-use TEXT`"
    )
