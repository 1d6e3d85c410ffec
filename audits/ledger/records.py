"""Records of the ledger: audits, approvals, overrides, champions, and the state of the trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from audits.ledger.people import person_name
from audits.ledger.trail import IDENTITY, NOT_VERIFIED, Entry, utc
from contracts.errors import ContractError
from contracts.naming.model_version import split_version
from contracts.scope import Scope
from contracts.verdict import Outcome, Verdict

MINIMUM_REASON_LENGTH = 10
"""Characters that a reason needs at least."""


class Role(StrEnum):
    """Who must approve before a version is served; the two are different people."""

    ML_OWNER = "ml-owner"
    """Responsible for the model and its training."""
    GOVERNANCE = "governance"
    """Responsible for its use with patients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An audit, as recorded in the trail.

    Parameters
    ----------
    sequence
        Number of its entry in the trail.
    model_version, bundle_digest, report_digest, policy_digest
        What was audited, the digest of the report, and by which policy.
    outcome, scope, held_back_by
        The verdict, for whom it lets the version be served (None where it does not, or where the
        entry is older than scopes), and the reasons of the binding findings that did not pass.
    simulated
        True when the cohort is simulated.
    recorded_at, valid_until
        When it is valid, [recorded_at, valid_until).
    """

    sequence: int
    model_version: str
    bundle_digest: str
    report_digest: str
    policy_digest: str
    outcome: Outcome
    scope: Scope | None = None
    held_back_by: tuple[str, ...]
    simulated: bool
    recorded_at: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's approval, after reading one audit's report.

    `identity` says who vouches for the name: the key that signed it, or that nobody does.
    """

    sequence: int
    model_version: str
    audit: int
    role: Role
    person: str
    reason: str
    approved_at: datetime
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A named person lets a version through that did not pass, for a limited time and a stated use.

    All of it is kept in the trail and shown with every forecast of the version.

    Raises
    ------
    ContractError
        No approver is named or the name cannot be used, the reason or the use is too short, or the
        time has no time zone.
    """

    approver: str
    reason: str
    until: datetime
    restricted_use: str

    def __post_init__(self) -> None:
        if not self.approver.strip():
            raise ContractError("override: it names no approver", "give one with --approver NAME")
        person_name(self.approver, "override: the approver's name")
        for what, text in (("reason", self.reason), ("restricted-use", self.restricted_use)):
            if len(text.strip()) < MINIMUM_REASON_LENGTH:
                raise ContractError(
                    f"override: the {what} is shorter than {MINIMUM_REASON_LENGTH} characters",
                    f"write a sentence after --{what}",
                )
        utc(self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version that may be served.

    Parameters
    ----------
    model, version
        `NAME` and `N` of the model version `NAME/N`.
    epoch
        Number of changes of this model's champion (promotion, rollback, revocation) up to this one.
    bundle_digest, report_digest, policy_digest, outcome
        The bytes that were audited, the report, by which policy, and its outcome.
    ml_owner, governance
        The two people who approved.
    approver, reason, override_until, restricted_use
        Who gave an override, why, until when and for which use; None where the audit passed.
    promoted_at, valid_until
        Since when it has served, and until when its audit or override is valid.
    revoked
        Why it may no longer be served; None while it may.
    sequence
        Number of the entry in the trail that made it champion.
    """

    model: str
    version: str
    epoch: int
    bundle_digest: str
    report_digest: str
    policy_digest: str
    outcome: Outcome
    ml_owner: str
    governance: str
    approver: str | None
    reason: str | None
    override_until: datetime | None
    restricted_use: str | None
    promoted_at: datetime
    valid_until: datetime
    revoked: str | None
    sequence: int

    @property
    def model_version(self) -> str:
        """`NAME/N`."""
        return f"{self.model}/{self.version}"

    @property
    def is_override(self) -> bool:
        """True where a person let it through instead of the audit."""
        return self.approver is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """Length of the trail, and the hash of its last entry: keep it to detect a cut tail."""

    length: int
    head: str


def audit_details(verdict: Verdict, report_digest: str, valid_until: datetime) -> dict[str, Any]:
    """Return what the trail keeps of an audit: all but the findings that pass or do not bind."""
    fields = verdict.model_dump(mode="json", exclude={"findings", "scope_findings", "held_back"})
    held_back_by = [
        finding.reason
        for finding in verdict.findings
        if finding.binding and finding.outcome is not Outcome.PASS
    ]
    return fields | {
        "report_digest": report_digest,
        "valid_until": utc(valid_until),
        "held_back_by": held_back_by,
    }


def audit_of(entry: Entry) -> AuditRecord:
    """Read an audit from its entry."""
    details = entry.details()
    return AuditRecord(
        sequence=entry.sequence,
        model_version=details["model_version"],
        bundle_digest=details["bundle_digest"],
        report_digest=details["report_digest"],
        policy_digest=details["policy_digest"],
        outcome=Outcome(details["outcome"]),
        scope=scope_of(details),
        held_back_by=tuple(details["held_back_by"]),
        simulated=details["simulated"],
        recorded_at=datetime.fromisoformat(entry.time),
        valid_until=datetime.fromisoformat(details["valid_until"]),
    )


def scope_of(audited: Mapping[str, Any]) -> Scope | None:
    """Return for whom an audit lets its version be served, from what the trail keeps of it."""
    return None if (scope := audited.get("scope")) is None else Scope.model_validate(scope)


def approval_of(entry: Entry) -> Approval:
    """Read an approval from its entry."""
    details = entry.details()
    return Approval(
        sequence=entry.sequence,
        model_version=entry.about,
        audit=details["audit"],
        role=Role(details["role"]),
        person=entry.actor,
        reason=details["reason"],
        approved_at=datetime.fromisoformat(entry.time),
        identity=identity_of(entry),
    )


def identity_of(entry: Entry) -> str:
    """Return in words who vouches for the name of an entry's actor."""
    identity = entry.details().get(IDENTITY, NOT_VERIFIED)
    return f"key {identity['key']}" if isinstance(identity, dict) else str(identity)


def champion_fields(champion: Champion) -> dict[str, Any]:
    """Return a champion as it is stored."""
    until = champion.override_until
    return asdict(champion) | {
        "outcome": champion.outcome.value,
        "override_until": None if until is None else utc(until),
        "promoted_at": utc(champion.promoted_at),
        "valid_until": utc(champion.valid_until),
    }


def champion_of(fields: Mapping[str, Any]) -> Champion:
    """Read a champion as it is stored."""
    until = fields["override_until"]
    return Champion(
        **{
            **fields,
            "outcome": Outcome(fields["outcome"]),
            "override_until": None if until is None else datetime.fromisoformat(until),
            "promoted_at": datetime.fromisoformat(fields["promoted_at"]),
            "valid_until": datetime.fromisoformat(fields["valid_until"]),
        }
    )


def new_champion(
    audit: AuditRecord,
    people: Mapping[Role, str],
    override: Override | None,
    *,
    epoch: int,
    promoted_at: str,
) -> Champion:
    """Return the champion that an audit, its approvals and perhaps an override make."""
    model, version = split_version(audit.model_version)
    until = None if override is None else override.until
    return Champion(
        model=model,
        version=version,
        epoch=epoch,
        bundle_digest=audit.bundle_digest,
        report_digest=audit.report_digest,
        policy_digest=audit.policy_digest,
        outcome=audit.outcome,
        ml_owner=people[Role.ML_OWNER],
        governance=people[Role.GOVERNANCE],
        approver=None if override is None else person_name(override.approver),
        reason=None if override is None else override.reason.strip(),
        override_until=None if until is None else datetime.fromisoformat(utc(until)),
        restricted_use=None if override is None else override.restricted_use.strip(),
        promoted_at=datetime.fromisoformat(promoted_at),
        valid_until=datetime.fromisoformat(utc(min(audit.valid_until, until or audit.valid_until))),
        revoked=None,
        sequence=0,
    )


def require_reason(reason: str) -> None:
    """Check that a reason is long enough to be one.

    Raises
    ------
    ContractError
        It is shorter than `MINIMUM_REASON_LENGTH`.
    """
    if len(reason.strip()) < MINIMUM_REASON_LENGTH:
        raise ContractError(
            f"ledger: the reason is shorter than {MINIMUM_REASON_LENGTH} characters",
            "write a sentence after --reason",
        )
