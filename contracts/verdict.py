"""What an audit decides, and what it must be able to prove later."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from contracts.changes.comparison import PlanComparison
from contracts.scope import HeldBack, Scope

EVERY_FIELD = "every field"
"""Context of a dump in which a finding has all of its fields, whether they are set or not."""


class Outcome(StrEnum):
    """Answer of a rule or of a whole audit, from best to gravest."""

    PASS = "pass"  # noqa: S105  (an outcome, no password)
    """Shown to hold."""
    WITHIN_SCOPE = "pass within scope"
    """Shown to hold for some groups, who are served; of a whole audit only, never of a rule."""
    INSUFFICIENT = "insufficient evidence"
    """Probably holds, or too few people to say; not shown."""
    REVIEW = "needs review"
    """Probably broken, not shown: people must look at it."""
    BLOCKED = "blocked"
    """Shown to be broken."""

    @property
    def is_pass(self) -> bool:
        """True where a model may be served without an override, to those in its scope."""
        return self in {Outcome.PASS, Outcome.WITHIN_SCOPE}


GRAVITY: dict[Outcome, int] = {outcome: rank for rank, outcome in enumerate(Outcome)}


class Shortage(StrEnum):
    """What there is too little of to judge a rule in a group."""

    GROUPS = "people of some groups"
    """Some groups of an attribute are too small to be compared with the others."""
    PEOPLE = "people"
    EVENTS = "events"
    REST_PEOPLE = "people elsewhere"
    """Of those whom the group is compared with."""
    REST_EVENTS = "events elsewhere"


EvidenceOf = Literal["internal", "external", "questions", "service"]
"""What a finding rests on: forecasts of the training cohort by networks that never saw the person,
forecasts of an external cohort, the questions that a ward would ask today, or outcomes in service
that people laid before the audit."""


class ExternalValidation(BaseModel):
    """A prediction table of another cohort, made with the very bundle that is judged.

    Parameters
    ----------
    predictions_digest
        SHA-256 of the signed table.
    bundle_digest
        The bundle that made the forecasts.
    cohort_name, data_digest, simulated
        The cohort, and whether it is simulated.
    made_at, made_by
        When (UTC, ISO 8601) and by whom the forecasts were made.
    people, overlap, new
        People with a forecast and an outcome; those of them whom the model was trained on; and
        those who are known to be new to it, the only ones who count in a finding. None where hidden
        from readers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    predictions_digest: str
    bundle_digest: str
    cohort_name: str
    data_digest: str
    simulated: bool
    made_at: str
    made_by: str
    people: int | None
    overlap: int | None
    new: int | None


class ShownInService(BaseModel):
    """What outcomes in service have shown of a group, as people laid it before an audit.

    Parameters
    ----------
    attribute, label
        The group.
    rules
        The rules that were shown to hold for it.
    entry, digest
        The proposal in the ledger: number and hash of its entry.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    attribute: str
    label: str
    rules: tuple[str, ...]
    entry: int
    digest: str


class Finding(BaseModel):
    """One rule applied to one group, or one check of the prediction table itself.

    Parameters
    ----------
    rule, metric, statistic, axis, group, horizon_day
        Which rule of the policy, on which number of which group of which attribute (`a & b` for a
        pair); at one horizon, or over all (None).
    attributes
        The attributes of the axis: none for everyone, two for a pair.
    subjects, events
        Denominators: people (None where hidden from readers), and for milestone metrics the fewer
        of those who had and had not what the metric needs; None otherwise.
    value, low, high
        Estimate with its confidence bounds; None where nothing could be computed.
    confidence
        Of the bounds, where they need more than the rule's because earlier versions of the model
        were audited; None where it is the rule's, or there are no bounds. Written only where there
        is one: earlier readers refuse a key that they do not know.
    limit
        The policy's limit; None for a check of the table.
    p_value, adjusted_p
        That the limit is not broken (normal, with the bootstrap's standard error), and the same
        after Benjamini-Hochberg; None where there is none.
    binding
        False where the policy asks for the finding to be reported but not to hold back a pass.
    outcome, reason
        The answer, and why in one sentence.
    evidence
        What it rests on.
    shortage
        What there is too little of to judge the rule; None where there is enough, or where readers
        may not know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    metric: str
    statistic: str
    axis: str
    attributes: tuple[str, ...] = ()
    group: str
    horizon_day: int | None = None
    subjects: int | None
    events: int | None
    value: float | None
    low: float | None
    high: float | None
    confidence: float | None = None
    limit: float | None
    p_value: float | None = None
    adjusted_p: float | None = None
    binding: bool
    outcome: Outcome
    reason: str
    evidence: EvidenceOf = "internal"
    shortage: Shortage | None = None

    @model_serializer(mode="wrap")
    def _without_the_usual(
        self, serialize: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        record: dict[str, Any] = serialize(self)
        # Earlier verdicts keep their bytes; who asks for every field gets this one too.
        if self.confidence is None and EVERY_FIELD not in (info.context or {}):
            record.pop("confidence", None)
        return record


class Verdict(BaseModel):
    """Outcome of an audit, bound to exactly one model bundle.

    Parameters
    ----------
    model_version, bundle_digest
        Which registered version, and the digest of its bundle's bytes.
    predictions_digest, policy_digest, data_digest, code_digest
        What was judged, by which rules, from which cohort, by which source code.
    follow_up_digest
        What became of the outcomes that were due; None for audits from before that was recorded.
    champion, champion_predictions_digest
        The version it was compared with as the one in service, and the prediction table of that
        version; None where there was none.
    external
        The external validation that counts in it; None where there is none.
    change
        How it differs from the version last in service, under the change plan that was in force;
        None where there was no plan.
    shown_in_service
        What outcomes in service have shown of groups, and counts in it; written only where there
        is any.
    simulated
        True when the cohort is simulated: such a verdict says nothing about real people.
    look
        Number of this bundle among those audited under its model name: whoever was not shown to be
        served well by an earlier one must now pass with more certainty (`audits.measure.looks`).
    outcome
        Whether the model may be served, and to whom; an audit that scored nobody is insufficient
        evidence.
    scope
        For whom it may be served; None unless it passed, for everyone or within a scope.
    held_back
        Whom it has not shown that the model serves well, whatever the outcome: who is served under
        an override is told so. None where nobody was scored, and for audits from before that.
    findings
        Checks of the table first, then every rule on every group, then what rests on questions and
        on an external cohort.
    scope_findings
        The rules once more, among the people in scope. Readers see these without numbers, because
        their difference from `findings` would show the people outside.

    Raises
    ------
    ValueError
        A scope without a pass, or a pass within scope without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_version: str
    bundle_digest: str
    predictions_digest: str
    policy_digest: str
    data_digest: str
    code_digest: str
    follow_up_digest: str | None = None
    champion: str | None = None
    champion_predictions_digest: str | None = None
    external: ExternalValidation | None = None
    change: PlanComparison | None = None
    shown_in_service: tuple[ShownInService, ...] = ()
    simulated: bool
    look: Annotated[int, Field(ge=1)] = 1
    outcome: Outcome
    scope: Scope | None = None
    held_back: HeldBack | None = None
    findings: tuple[Finding, ...]
    scope_findings: tuple[Finding, ...] = ()

    @model_serializer(mode="wrap")
    def _without_the_unknown(
        self, serialize: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        record: dict[str, Any] = serialize(self)
        if self.held_back is None and EVERY_FIELD not in (info.context or {}):
            record.pop("held_back", None)
        if not self.shown_in_service and EVERY_FIELD not in (info.context or {}):
            record.pop("shown_in_service", None)
        return record

    @model_validator(mode="after")
    def _scope_fits(self) -> Verdict:
        if self.scope is not None and not self.outcome.is_pass:
            raise ValueError(f"a scope, although the outcome is {self.outcome}")
        if self.outcome is Outcome.WITHIN_SCOPE and self.scope is None:
            raise ValueError("a pass within scope, and no scope")
        return self
