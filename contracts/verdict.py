"""What an audit decides, and what it must be able to prove later."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Outcome(StrEnum):
    """Answer of a rule or of a whole audit, from best to gravest."""

    PASS = "pass"  # noqa: S105  (an outcome, no password)
    INSUFFICIENT = "insufficient evidence"
    FAIL = "fail"


GRAVITY: dict[Outcome, int] = {outcome: rank for rank, outcome in enumerate(Outcome)}


class Finding(BaseModel):
    """One rule applied to one group.

    Parameters
    ----------
    rule, metric, axis, group
        Which rule of the policy, on which group of which attribute (`a & b` for a pair).
    subjects, events
        Denominators: people, and for milestone metrics people who reached it; None otherwise.
    value, low, high
        Estimate with its confidence bounds; None where nothing could be computed.
    limit
        The policy's limit.
    binding
        False where the policy asks for the finding to be reported but not to hold back a pass.
    outcome, reason
        The answer, and why in one sentence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    metric: str
    axis: str
    group: str
    subjects: int
    events: int | None
    value: float | None
    low: float | None
    high: float | None
    limit: float
    binding: bool
    outcome: Outcome
    reason: str


class Verdict(BaseModel):
    """Outcome of an audit, bound to exactly one model bundle.

    Parameters
    ----------
    model_version, bundle_digest
        Which registered version, and the digest of its bundle's bytes.
    predictions_digest, policy_digest, data_digest, code_digest
        What was judged, by which rules, from which cohort, by which source code.
    simulated
        True when the cohort is simulated: such a verdict says nothing about real people.
    outcome
        Gravest binding finding; an audit that scored nobody is insufficient evidence.
    findings
        Every rule on every group.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_version: str
    bundle_digest: str
    predictions_digest: str
    policy_digest: str
    data_digest: str
    code_digest: str
    simulated: bool
    outcome: Outcome
    findings: tuple[Finding, ...]
