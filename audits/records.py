"""What the ledger holds, as values: audits, champions, and the state of the trail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from audits.trail import AUDIT, PROMOTION, Entry, utc
from contracts.errors import ContractError, IntegrityError
from contracts.verdict import Outcome, Verdict

FROM_AUDIT = ("bundle_digest", "report_digest", "outcome", "valid_until")
"""What a promotion takes over from the audit that it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An audit as the trail has it.

    Parameters
    ----------
    sequence
        Its place in the trail.
    model_version, bundle_digest, report_digest
        What was audited, and the digest of the report.
    outcome, held_back_by
        The verdict, and the reasons of the binding findings that are no pass.
    simulated
        True when no real person is in the cohort.
    recorded_at, valid_until
        From when to when it holds, [recorded_at, valid_until).
    """

    sequence: int
    model_version: str
    bundle_digest: str
    report_digest: str
    outcome: Outcome
    held_back_by: tuple[str, ...]
    simulated: bool
    recorded_at: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version that may be served.

    Parameters
    ----------
    model, version
        `NAME` and `N` of the model version `NAME/N`.
    epoch
        How many promotions this model has seen, this one included.
    bundle_digest, report_digest, outcome
        The bytes that were audited, the report, and its outcome.
    approver, reason
        Who overrode insufficient evidence, and why; None where the audit passed.
    promoted_at, valid_until
        Since when, and until when its audit holds.
    sequence
        The promotion's place in the trail.
    """

    model: str
    version: str
    epoch: int
    bundle_digest: str
    report_digest: str
    outcome: Outcome
    approver: str | None
    reason: str | None
    promoted_at: datetime
    valid_until: datetime
    sequence: int

    @property
    def model_version(self) -> str:
        """`NAME/N`."""
        return f"{self.model}/{self.version}"

    @property
    def is_override(self) -> bool:
        """True where a person let it through and not the audit."""
        return self.approver is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """Length of the trail, and the hash of its last entry: keep it to notice a cut tail."""

    length: int
    head: str


def audit_details(verdict: Verdict, report_digest: str, valid_until: datetime) -> dict[str, Any]:
    """Return what the trail keeps of an audit: all but the findings that pass or do not bind."""
    whole = verdict.model_dump(mode="json")
    kept = {name: value for name, value in whole.items() if name != "findings"}
    held_back_by = [
        finding.reason
        for finding in verdict.findings
        if finding.binding and finding.outcome is not Outcome.PASS
    ]
    return kept | {
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
        outcome=Outcome(details["outcome"]),
        held_back_by=tuple(details["held_back_by"]),
        simulated=details["simulated"],
        recorded_at=datetime.fromisoformat(entry.time),
        valid_until=datetime.fromisoformat(details["valid_until"]),
    )


def champion_fields(champion: Champion) -> dict[str, Any]:
    """Return a champion as it is stored."""
    return asdict(champion) | {
        "outcome": champion.outcome.value,
        "promoted_at": utc(champion.promoted_at),
        "valid_until": utc(champion.valid_until),
    }


def champion_of(fields: Mapping[str, Any]) -> Champion:
    """Read a champion as it is stored."""
    return Champion(
        **{
            **fields,
            "outcome": Outcome(fields["outcome"]),
            "promoted_at": datetime.fromisoformat(fields["promoted_at"]),
            "valid_until": datetime.fromisoformat(fields["valid_until"]),
        }
    )


def check_promotions(stored: Iterable[Entry]) -> None:
    """Check that each promotion rests on the last audit of its version before it.

    Raises
    ------
    IntegrityError
        One rests on none, or on other bytes or another outcome.
    """
    audits: dict[str, dict[str, Any]] = {}
    for entry in stored:
        details = entry.details()
        if entry.kind == AUDIT:
            audits[entry.about] = details
        elif entry.kind == PROMOTION:
            audit = audits.get(entry.about, {})
            if any(details[name] != audit.get(name) for name in FROM_AUDIT):
                raise IntegrityError(
                    f"ledger: the promotion of entry {entry.sequence} has no audit"
                )


def check_champions(stored: Iterable[Entry], rows: Iterable[Mapping[str, Any]]) -> None:
    """Check that each champion is what the last promotion of its model says.

    Raises
    ------
    IntegrityError
        One was edited, removed or added without a promotion.
    """
    told: dict[str, dict[str, Any]] = {}
    for entry in stored:
        if entry.kind == PROMOTION:
            details = entry.details() | {"sequence": entry.sequence}
            told[details["model"]] = details
    held = {str(row["model"]): dict(row) for row in rows}
    for model in sorted(told.keys() | held.keys()):
        if told.get(model) != held.get(model):
            place = f"entry {told[model]['sequence']}" if model in told else "any entry"
            raise IntegrityError(f"ledger: the champion of {model!r} is not that of {place}")


def split_version(model_version: str) -> tuple[str, str]:
    """Return the parts of `NAME/N`.

    Raises
    ------
    ContractError
        It is not written so.
    """
    model, _, version = model_version.rpartition("/")
    if not model or not version:
        raise ContractError(f"model version {model_version!r} is not written as NAME/N")
    return model, version
