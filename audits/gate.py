"""The gate: what must be true before a version may be served. There is no other way in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from audits.ledger import AuditRecord, Champion, Ledger
from audits.records import split_version
from audits.trail import utc
from contracts.errors import ContractError, PromotionRefused
from contracts.verdict import Outcome

SHORTEST_REASON = 10
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A named person lets a version through whose audit had insufficient evidence.

    Both are kept in the trail and shown with every forecast of the version.

    Raises
    ------
    ContractError
        No approver is named, or the reason is no sentence.
    """

    approver: str
    reason: str

    def __post_init__(self) -> None:
        if not self.approver.strip():
            raise ContractError("override: name the person who approves it (--approver NAME)")
        if len(self.reason.strip()) < SHORTEST_REASON:
            raise ContractError(
                f"override: give a reason of {SHORTEST_REASON} characters or more (--reason TEXT)"
            )


def promote(
    ledger: Ledger,
    *,
    model_version: str,
    bundle_digest: str,
    actor: str,
    now: datetime,
    override: Override | None = None,
) -> Champion:
    """Make a version the champion if its audit lets it.

    Parameters
    ----------
    ledger
        Where audits and champions are on record.
    model_version, bundle_digest
        `NAME/N`, and the digest of the bundle as it is now.
    actor, now
        Who promotes, and when.
    override
        Needed for, and only used with, an audit of insufficient evidence. A failed audit cannot
        be overridden: harm was shown, not doubt.

    Raises
    ------
    PromotionRefused
        There is no audit of this version and bundle, it is over, or it holds the version back; or
        another promotion or audit came first. Nothing changed.
    """
    # The epoch is read first: whatever happens from here on makes the swap fail.
    seen_epoch = ledger.epoch(split_version(model_version)[0])
    audit = ledger.latest_audit(model_version)
    if audit is None:
        raise PromotionRefused(
            f"{model_version} has no audit: run `rehabcast audit {model_version}`"
        )
    moment = datetime.fromisoformat(utc(now))
    if why := refusal(audit, bundle_digest=bundle_digest, now=moment, override=override):
        raise PromotionRefused(f"{model_version}: {why}")
    used = override if audit.outcome is Outcome.INSUFFICIENT else None
    return ledger.promote(
        audit,
        seen_epoch=seen_epoch,
        actor=actor,
        now=moment,
        approver=None if used is None else used.approver.strip(),
        reason=None if used is None else used.reason.strip(),
    )


def refusal(
    audit: AuditRecord, *, bundle_digest: str, now: datetime, override: Override | None
) -> str:
    """Say why an audit does not let a bundle through, and what to do; empty where it does."""
    again = f"run `rehabcast audit {audit.model_version}`"
    if audit.bundle_digest != bundle_digest:
        return f"the bundle is not the one that was audited ({bundle_digest[:12]}): {again}"
    if not audit.recorded_at <= now < audit.valid_until:
        holds = f"from {audit.recorded_at.isoformat()} to {audit.valid_until.isoformat()}"
        return f"its audit holds {holds}, not now: {again}"
    if audit.outcome is Outcome.PASS:
        return ""
    if audit.outcome is Outcome.INSUFFICIENT and override is not None:
        return ""
    return f"its audit says {audit.outcome}:\n{_held_back(audit)}\n{_next_step(audit)}"


def _held_back(audit: AuditRecord) -> str:
    shown = [f"  {reason}" for reason in audit.held_back_by[:SHOWN]]
    rest = len(audit.held_back_by) - SHOWN
    return "\n".join([*shown, f"  ... and {rest} more in its report"] if rest > 0 else shown)


def _next_step(audit: AuditRecord) -> str:
    command = f"`rehabcast promote {audit.model_version} --approver NAME --reason TEXT`"
    if audit.outcome is Outcome.INSUFFICIENT:
        return (
            f"Audit more people, then `rehabcast audit {audit.model_version}`; or a named person"
            f" answers for it: {command}"
        )
    return (
        "A failed audit cannot be overridden: mend the model, train again and run `rehabcast"
        " audit NAME/N` on the new version"
    )
