"""The champion as loaded: the model, and the audit that it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.groups import NO_WEARABLE
from contracts.verdict import Outcome
from contracts.vocabulary import NOT_RECORDED
from inference.bundle import Bundle
from serving.schemas import GroupCoverage, ModelInfo, Override

LIMITS = (
    "Decision support for a clinician who knows the patient: no diagnosis, no treatment advice.",
    "Not a medical device as shipped.",
    "It must not be used to withhold therapy.",
    "An association seen in earlier patients, not an effect of anything done.",
)
SIMULATED_LIMIT = "SIMULATED training data: the people behind this model do not exist."


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How often the 80 % range held for a group in the audit; None where hidden or unknown."""

    value: float | None
    low: float | None
    high: float | None
    people: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """On what the model stands.

    Parameters
    ----------
    model_version, report_digest, outcome, valid_until
        Version and audit, and until when the audit or its override holds.
    approver, reason, restricted_use
        Who overrode the audit, why and for what use; None where nobody did.
    coverage
        By attribute and group, of the audit; empty where the audit told nothing of groups.
    """

    model_version: str
    report_digest: str
    outcome: Outcome
    valid_until: datetime
    approver: str | None
    reason: str | None
    restricted_use: str | None = None
    coverage: Mapping[tuple[str, str], Coverage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The champion as loaded, with its card in words."""

    bundle: Bundle
    standing: Standing
    card: str = ""


def model_info(served: Served) -> ModelInfo:
    """Return which model answers, and on what it stands."""
    manifest, standing = served.bundle.manifest, served.standing
    until = standing.valid_until.isoformat(timespec="seconds")
    override = (
        Override(
            approver=standing.approver,
            reason=standing.reason,
            until=until,
            restricted_use=standing.restricted_use or "not stated",
        )
        if standing.approver is not None and standing.reason is not None
        else None
    )
    return ModelInfo(
        model_version=standing.model_version,
        bundle_digest=served.bundle.digest,
        report_digest=standing.report_digest,
        audit_outcome=str(standing.outcome),
        valid_until=until,
        simulated=manifest.simulated,
        cohort_name=manifest.cohort_name,
        override=override,
    )


def banner(served: Served) -> str:
    """Return what must stand over every forecast of an overridden model; empty otherwise."""
    override = model_info(served).override
    if override is None:
        return ""
    return (
        f"OVERRIDE: the audit ended in {str(served.standing.outcome)!r}. Let through by"
        f" {override.approver} until {override.until[:10]}: {override.reason}. Only for:"
        f" {override.restricted_use}"
    )


def limits(served: Served) -> list[str]:
    """Return the limits of use."""
    return [*([SIMULATED_LIMIT] if served.bundle.manifest.simulated else []), *LIMITS]


def unaudited(served: Served, groups: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the first group of a subject that the audit never saw, as attribute and label.

    Whoever does not say, or has no device, is not refused: that is a state of the record and no
    population. The answer still says that the audit had too few like them.
    """
    seen = served.standing.coverage
    audited = {axis for axis, _ in seen}
    for axis, label in groups.items():
        told = label not in {NOT_RECORDED, NO_WEARABLE}
        if axis in audited and told and (axis, label) not in seen:
            return axis, label
    return None


def group_coverage(served: Served, groups: Mapping[str, str]) -> list[GroupCoverage]:
    """Say for each group of a subject how often the range held in the audit."""
    return [_of_group(served, axis, label) for axis, label in groups.items()]


def _of_group(served: Served, axis: str, label: str) -> GroupCoverage:
    known = served.standing.coverage.get((axis, label))
    if known is None or known.value is None:
        told = f"{axis}, {label}: too few people in the audit to say how often the range holds"
        return GroupCoverage(
            attribute=axis, group=label, coverage=None, low=None, high=None,
            people=None if known is None else known.people, statement=told,
        )  # fmt: skip
    between = (
        f" (95 % interval {known.low:.0%} to {known.high:.0%})"
        if known.low is not None and known.high is not None
        else ""
    )
    return GroupCoverage(
        attribute=axis,
        group=label,
        coverage=known.value,
        low=known.low,
        high=known.high,
        people=known.people,
        statement=f"{axis}, {label}: the 80 % range held in {known.value:.0%}{between}",
    )
