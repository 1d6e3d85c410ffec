"""The gate: what must be true before a version may be served. There is no other way in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from audits.ledger.ledger import Ledger
from audits.ledger.records import (
    Approval,
    AuditRecord,
    Champion,
    Override,
    Role,
    same_person,
    split_version,
)
from audits.ledger.trail import utc
from contracts.errors import PromotionRefused
from contracts.verdict import Outcome, Verdict

SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What stands before the gate, as it is now, whose signatures were verified.

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


def promote(
    ledger: Ledger,
    *,
    model_version: str,
    presented: Presented,
    actor: str,
    now: datetime,
    override: Override | None = None,
) -> Champion:
    """Make a version the champion if its audit lets it and two people have approved.

    Parameters
    ----------
    ledger
        Where audits, approvals and champions are on record.
    model_version, presented
        `NAME/N`, and its bundle and report as they are now.
    actor, now
        Who promotes, and when.
    override
        Needed for, and only used with, an audit that is neither a pass nor blocked. A blocked one
        cannot be overridden: harm was shown, not doubt.

    Raises
    ------
    PromotionRefused
        There is no audit of this version, bundle, report and policy, it is over, it holds the
        version back, an approval is missing; or another move or audit came first. Nothing changed.
    """
    # The epoch is read first: whatever happens from here on makes the swap fail.
    seen_epoch = ledger.epoch(split_version(model_version)[0])
    audit = ledger.latest_audit(model_version)
    if audit is None:
        raise PromotionRefused(
            f"{model_version} has no audit: run `rehabcast audit {model_version}`"
        )
    moment = datetime.fromisoformat(utc(now))
    why = (
        mismatch(audit, presented)
        or refusal(audit, now=moment, override=override)
        or missing_approval(audit, ledger.approvals(audit))
    )
    if not why and ledger.revoked_since(model_version, audit.sequence):
        why = f"it was revoked after its audit: run `rehabcast audit {model_version}`"
    if why:
        raise PromotionRefused(f"{model_version}: {why}")
    used = None if audit.outcome is Outcome.PASS else override
    return ledger.promote(audit, seen_epoch=seen_epoch, actor=actor, now=moment, override=used)


def roll_back(
    ledger: Ledger, model: str, to_epoch: int, *, actor: str, reason: str, now: datetime
) -> Champion:
    """Make the champion of an earlier epoch the champion again; its approvals still stand.

    Raises
    ------
    PromotionRefused
        Its audit or override is over, a later audit replaced it or it was revoked since; or another
        move came first.
    EvidenceMissing
        There was no such epoch.
    """
    seen_epoch = ledger.epoch(model)
    earlier = ledger.at_epoch(model, to_epoch)
    audit = ledger.latest_audit(earlier.model_version)
    version, moment = earlier.model_version, datetime.fromisoformat(utc(now))
    why = ""
    if audit is None or audit.report_digest != earlier.report_digest:
        why = "a later audit replaced the one it rests on: approve and promote it again"
    elif moment >= earlier.valid_until:
        why = f"its audit or override held until {earlier.valid_until.isoformat()}"
    elif ledger.revoked_since(version, earlier.sequence):
        why = "it was revoked since: audit, approve and promote it again"
    if why:
        raise PromotionRefused(f"{version} (epoch {to_epoch}): {why}")
    return ledger.roll_back(
        model, to_epoch, seen_epoch=seen_epoch, actor=actor, reason=reason, now=moment
    )


def mismatch(audit: AuditRecord, presented: Presented) -> str:
    """Say what is not what was audited, and what to do; empty where all of it is."""
    again = f"run `rehabcast audit {audit.model_version}`"
    report = presented.report
    if report.model_version != audit.model_version:
        return f"the report is of {report.model_version}: {again}"
    if presented.report_digest != audit.report_digest:
        return f"the report is not that of its last audit, but older or changed: {again}"
    if presented.bundle_digest != audit.bundle_digest:
        shown = presented.bundle_digest[:12]
        return f"the bundle is not the one that was audited ({shown}): {again}"
    if presented.policy_digest != audit.policy_digest:
        return f"the policy has changed since its audit ({audit.policy_digest[:12]}): {again}"
    if (report.bundle_digest, report.policy_digest, report.outcome) != (
        audit.bundle_digest,
        audit.policy_digest,
        audit.outcome,
    ):
        return f"the report says other things than the ledger: {again}"
    return ""


def refusal(audit: AuditRecord, *, now: datetime, override: Override | None) -> str:
    """Say why an audit does not let its version through, and what to do; empty where it does."""
    again = f"run `rehabcast audit {audit.model_version}`"
    if not audit.recorded_at <= now < audit.valid_until:
        holds = f"from {audit.recorded_at.isoformat()} to {audit.valid_until.isoformat()}"
        return f"its audit holds {holds}, not now: {again}"
    if audit.outcome is Outcome.PASS:
        return ""
    if audit.outcome in {Outcome.INSUFFICIENT, Outcome.REVIEW} and override is not None:
        if override.until <= now:
            return f"the override ended {override.until.isoformat()}"
        return ""
    return f"its audit says {audit.outcome}:\n{_held_back(audit)}\n{_next_step(audit)}"


def missing_approval(audit: AuditRecord, approvals: list[Approval]) -> str:
    """Say which approval is missing, and what to do; empty where two people have approved."""
    people = {approval.role: approval.person for approval in approvals}
    for role in Role:
        if role not in people:
            return (
                f"nobody has approved it as {role}: run"
                f" `rehabcast approve {audit.model_version} --role {role} --reason TEXT`"
            )
    if same_person(people[Role.ML_OWNER], people[Role.GOVERNANCE]):
        return f"{people[Role.ML_OWNER]} approved it twice: two different people must"
    return ""


def _held_back(audit: AuditRecord) -> str:
    shown = [f"  {reason}" for reason in audit.held_back_by[:SHOWN]]
    rest = len(audit.held_back_by) - SHOWN
    return "\n".join([*shown, f"  ... and {rest} more in its report"] if rest > 0 else shown)


def _next_step(audit: AuditRecord) -> str:
    command = (
        f"`rehabcast promote {audit.model_version} --approver NAME --reason TEXT --until DATE"
        " --restricted-use TEXT`"
    )
    if audit.outcome is not Outcome.BLOCKED:
        return (
            f"Audit more people, then `rehabcast audit {audit.model_version}`; or a named person"
            f" answers for it, for a time and a use: {command}"
        )
    return (
        "A blocked audit cannot be overridden: mend the model, train again and run `rehabcast"
        " audit NAME/N` on the new version"
    )
