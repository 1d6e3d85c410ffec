"""Policies, audits and approvals in the trail, each written or read inside a transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from audits.ledger.identity import TRIAL, Identities, check_signature, is_signed
from audits.ledger.people import People, person_name, same_person
from audits.ledger.records import (
    Approval,
    AuditRecord,
    Role,
    approval_of,
    audit_details,
    audit_of,
    require_reason,
    scope_of,
)
from audits.ledger.trail import APPROVAL, AUDIT, POLICY, Entry, append, entries_of, latest, utc
from contracts.errors import ContractError, PromotionRefused
from contracts.naming.model_version import split_version
from contracts.scope import Scope
from contracts.verdict import Verdict


def freeze_policy(
    connection: sa.Connection,
    version: str,
    digest: str,
    *,
    actor: str,
    now: datetime,
    identities: Identities = TRIAL,
) -> None:
    """Append the digest of a policy, unless it is the last that was appended."""
    frozen = entries_of(connection, kind=POLICY)
    if not frozen or frozen[-1].details()["digest"] != digest:
        details = {"digest": digest}
        about = f"policy {version}"
        append(
            connection, kind=POLICY, about=about, actor=actor, now=now, details=details,
            identify=identities.offered(actor),
        )  # fmt: skip


def earlier_audits(
    entries: Iterable[Entry], model_version: str, bundle_digest: str
) -> tuple[tuple[Scope | None, ...], ...]:
    """Return whom each bundle was shown to serve that was audited earlier under the model name.

    The same bundle audited again, such as after its audit expired, is the same attempt: the
    evidence is the same, so chance has no second try.

    Returns
    -------
    For each other bundle, before the first audit of this one, the scope of each audit up to then;
    None of one that did not pass, or that is from before there were scopes.

    Parameters
    ----------
    entries
        The trail, in order.
    """
    model, _ = split_version(model_version)
    # Old entries may spell a version in another way, such as `arm/01`: the name is the same.
    audits: dict[str, list[Scope | None]] = {}
    for entry in entries:
        if entry.kind == AUDIT and entry.about.rpartition("/")[0] == model:
            details = entry.details()
            if details["bundle_digest"] == bundle_digest:
                break
            audits.setdefault(details["bundle_digest"], []).append(scope_of(details))
    return tuple(map(tuple, audits.values()))


def append_audit(
    connection: sa.Connection,
    verdict: Verdict,
    report_digest: str,
    *,
    actor: str,
    now: datetime,
    valid_until: datetime,
    identities: Identities = TRIAL,
) -> AuditRecord:
    """Append an audit.

    Raises
    ------
    ContractError
        The times have no time zone or are in the wrong order, nobody is named, or the model version
        is not `NAME/N` in its one spelling.
    """
    split_version(verdict.model_version)
    if utc(valid_until) <= utc(now):
        raise ContractError(
            f"ledger: an audit that is valid until {valid_until} has already expired",
            "give an end of validity after the time of the audit",
        )
    details = audit_details(verdict, report_digest, valid_until)
    about = verdict.model_version
    entry = append(
        connection, kind=AUDIT, about=about, actor=actor, now=now, details=details,
        identify=identities.offered(actor),
    )  # fmt: skip
    return audit_of(entry)


def append_approval(
    connection: sa.Connection,
    audit: AuditRecord,
    role: Role,
    *,
    person: str,
    reason: str,
    now: datetime,
    identities: Identities = TRIAL,
) -> Approval:
    """Append a person's approval of an audit's report, which must be the version's last.

    Raises
    ------
    ContractError
        Nobody is named, the name cannot be used or the key is another's; or the reason is too
        short.
    EvidenceMissing
        The ledger is shared, and the person gave no key.
    PromotionRefused
        A newer audit was recorded, or the person has approved it already, in this role or the
        other.
    """
    require_reason(reason)
    require_latest(connection, audit)
    _require_another(audit, role, person, approvals_of(connection, audit, identities.people))
    details = {
        "role": role.value,
        "reason": reason.strip(),
        "audit": audit.sequence,
        "report_digest": audit.report_digest,
    }
    about = audit.model_version
    entry = append(
        connection, kind=APPROVAL, about=about, actor=person, now=now, details=details,
        identify=identities.required(person),
    )  # fmt: skip
    return approval_of(entry)


def _require_another(
    audit: AuditRecord, role: Role, person: str, approvals: list[Approval]
) -> None:
    for other, approver in approver_of(approvals).items():
        if not same_person(approver, person):
            continue
        again = other is role
        raise PromotionRefused(
            f"{audit.model_version}: {person_name(person)} has already approved it as {other}"
            + ("" if approver == person else f" (as {approver})"),
            "nothing more is needed from this person"
            if again
            else f"two different people must approve: have another one approve it as {role}",
        )


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


def approvals_of(
    connection: sa.Connection, audit: AuditRecord, people: People | None = None
) -> list[Approval]:
    """Return the approvals of an audit, oldest first; where people have keys, the signed ones.

    Raises
    ------
    IntegrityError
        One is signed, but not by the person that it names.
    """
    entries = entries_of(connection, kind=APPROVAL, about=audit.model_version)
    entries = [entry for entry in entries if entry.details()["audit"] == audit.sequence]
    if people is not None:
        entries = [entry for entry in entries if is_signed(entry)]
        for entry in entries:
            check_signature(entry, people)
    return [approval_of(entry) for entry in entries]


def require_approvers(
    connection: sa.Connection, audit: AuditRecord, people: People | None
) -> dict[Role, str]:
    """Return who approved an audit in each role.

    Raises
    ------
    PromotionRefused
        Nobody has approved it in one of them.
    """
    approvers = approver_of(approvals_of(connection, audit, people))
    if missing := [role for role in Role if role not in approvers]:
        raise PromotionRefused(
            f"{audit.model_version}: no approval as {missing[0]}",
            f"run `rehabcast approve {audit.model_version} --role {missing[0]} --reason TEXT`",
        )
    return approvers


def approver_of(approvals: list[Approval]) -> dict[Role, str]:
    """Return who approved last in each role."""
    return {approval.role: approval.person for approval in approvals}
