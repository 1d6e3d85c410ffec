"""Policies, audits and approvals in the trail, each written or read inside a transaction."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from audits.ledger.records import (
    Approval,
    AuditRecord,
    Role,
    approval_of,
    audit_details,
    audit_of,
    require_reason,
    split_version,
)
from audits.ledger.trail import APPROVAL, AUDIT, POLICY, append, entries_of, latest, utc
from contracts.errors import ContractError, PromotionRefused
from contracts.verdict import Verdict


def freeze_policy(
    connection: sa.Connection, version: str, digest: str, *, actor: str, now: datetime
) -> None:
    """Append the digest of a policy, unless it is the last that was appended."""
    frozen = entries_of(connection, kind=POLICY)
    if not frozen or frozen[-1].details()["digest"] != digest:
        details = {"digest": digest}
        about = f"policy {version}"
        append(connection, kind=POLICY, about=about, actor=actor, now=now, details=details)


def append_audit(
    connection: sa.Connection,
    verdict: Verdict,
    report_digest: str,
    *,
    actor: str,
    now: datetime,
    valid_until: datetime,
) -> AuditRecord:
    """Append an audit.

    Raises
    ------
    ContractError
        The times have no time zone or are in the wrong order, nobody is named, or the model version
        is not `NAME/N`.
    """
    split_version(verdict.model_version)
    if utc(valid_until) <= utc(now):
        raise ContractError(
            f"ledger: an audit that is valid until {valid_until} has already expired",
            "give an end of validity after the time of the audit",
        )
    details = audit_details(verdict, report_digest, valid_until)
    about = verdict.model_version
    return audit_of(
        append(connection, kind=AUDIT, about=about, actor=actor, now=now, details=details)
    )


def append_approval(
    connection: sa.Connection,
    audit: AuditRecord,
    role: Role,
    *,
    person: str,
    reason: str,
    now: datetime,
) -> Approval:
    """Append a person's approval of an audit's report, which must be the version's last.

    Raises
    ------
    ContractError
        Nobody is named, or the reason is too short.
    PromotionRefused
        A newer audit was recorded.
    """
    require_reason(reason)
    require_latest(connection, audit)
    details = {
        "role": role.value,
        "reason": reason.strip(),
        "audit": audit.sequence,
        "report_digest": audit.report_digest,
    }
    about = audit.model_version
    entry = append(connection, kind=APPROVAL, about=about, actor=person, now=now, details=details)
    return approval_of(entry)


def require_latest(connection: sa.Connection, audit: AuditRecord) -> None:
    """Check that an audit is still the last of its version.

    Raises
    ------
    PromotionRefused
        A newer audit was recorded.
    """
    entry = latest(connection, kind=AUDIT, about=audit.model_version)
    if entry is None or audit_of(entry) != audit:
        raise PromotionRefused(
            f"{audit.model_version}: another audit was recorded in the meantime",
            "read its report, then try again",
        )


def approvals_of(connection: sa.Connection, audit: AuditRecord) -> list[Approval]:
    """Return the approvals of an audit, oldest first."""
    entries = entries_of(connection, kind=APPROVAL, about=audit.model_version)
    approvals = [approval_of(entry) for entry in entries]
    return [approval for approval in approvals if approval.audit == audit.sequence]


def approver_of(approvals: list[Approval]) -> dict[Role, str]:
    """Return who approved last in each role."""
    return {approval.role: approval.person for approval in approvals}
