"""A change plan, read from TOML: planned changes, how each is tested, when to retrain and go back.

A plan on record is read as it stands: what its author is asked for (`audits.changes.authored`) may
become stricter, and every plan that was approved before must stay readable.

The parts are those of the FDA's guidance on predetermined change control plans (August 2025):
description of the changes, protocol of their tests, and assessment of their impact.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from audits.measure.metric_definitions import Unit
from audits.measure.metrics import Metric
from contracts.changes.difference import ChangeKind
from contracts.digests import record_digest
from contracts.task import Task

EXAMPLE = Path(__file__).with_name("example.toml")
"""A plan that is right, to begin with."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PlannedChange(_Strict):
    """One kind of change that is planned.

    Parameters
    ----------
    kind
        Which (`contracts.changes.difference`).
    description, test, impact
        What will change; by which protocol it is tested; what it may do to patients, good and bad,
        and how that is kept in check.
    external_validation
        Whether a version with this change needs an external validation in its audit.
    """

    kind: ChangeKind
    description: str
    test: str
    impact: str
    external_validation: bool = False


class Who(StrEnum):
    """To whom a criterion applies."""

    EVERYONE = "everyone"
    EACH_GROUP = "each group"


class ShownOn(StrEnum):
    """On whose forecasts a criterion is judged."""

    COHORT = "cohort"
    """Out of fold, on the people of the cohort that both versions know."""
    SERVED = "people served"
    """As given: the champion's to care, the later version's as its shadow."""


class Criterion(_Strict):
    """By how much a later version may be worse than the one in service, shown by a one-sided bound.

    Parameters
    ----------
    metric
        Compared forecast by forecast on the same people.
    who, attributes
        Everyone at once, or each group of these audited attributes (None: of all).
    each_horizon
        Whether each horizon is judged on its own.
    shown_on
        Whose forecasts are compared.
    worse_by_at_most
        The limit of worsening, in the metric's unit; 0 asks for no worsening.
    confidence
        Of the one-sided bound of the paired difference.
    minimum_people, minimum_events
        With fewer, nothing is shown.
    rationale
        Why the limit is what it is.
    """

    metric: Metric
    who: Who
    attributes: tuple[str, ...] | None = None
    each_horizon: bool = False
    shown_on: ShownOn = ShownOn.COHORT
    worse_by_at_most: float
    confidence: float = 0.95
    minimum_people: int = 8
    minimum_events: int = 8
    rationale: str

    @model_serializer(mode="wrap")
    def _without_what_is_not_declared(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Write a criterion as before there were shadows: digests of plans stay."""
        record: dict[str, Any] = serialize(self)
        if self.shown_on is ShownOn.COHORT:
            record.pop("shown_on", None)
        return record


class RetrainWhen(_Strict):
    """When a new version is trained."""

    conditions: tuple[str, ...]


class Rollback(_Strict):
    """When an earlier version returns to service, and how."""

    conditions: tuple[str, ...]
    how: str


class ChangePlan(_Strict):
    """What may change in later versions of a model's line without a new plan.

    Parameters
    ----------
    line, version
        The registered model's name, and the plan's own version, raised with every change of it.
    changes, impact_together
        The planned changes, and what they may do in combination.
    criteria
        By how much a later version may be worse than the one in service.
    retrain_when, rollback
        When to train a new version, and when and how to go back to an earlier one.
    """

    line: str
    version: str
    impact_together: str
    changes: tuple[PlannedChange, ...]
    criteria: tuple[Criterion, ...]
    retrain_when: RetrainWhen
    rollback: Rollback

    @property
    def digest(self) -> str:
        """SHA-256 of the plan's content, whatever the layout of its file."""
        return record_digest(self.model_dump(mode="json"))

    def change(self, kind: ChangeKind) -> PlannedChange | None:
        """Return the planned change of a kind, or of one that it is part of; None where neither is.

        A plan that lets training parameters change lets the networks come out joined otherwise: so
        do plans from before that was a kind of its own. Where both are named it is the one that
        asks for less, as naming more must not forbid what was planned.
        """
        kinds = {kind, ChangeKind.PARAMETERS} if kind is ChangeKind.JOINING else {kind}
        named = [change for change in self.changes if change.kind in kinds]
        return min(
            named, key=lambda each: (each.external_validation, each.kind is not kind), default=None
        )


def misfits(plan: ChangePlan, task: Task) -> list[str]:
    """Return each criterion that no version of a task could ever be judged by."""
    audited = [attribute.name for attribute in task.sensitive]
    faults = [
        f"criteria {number}, attributes, {attribute}: the task does not audit it (it has"
        f" {', '.join(audited) or 'none'})"
        for number, criterion in enumerate(plan.criteria, start=1)
        for attribute in criterion.attributes or ()
        if attribute not in audited
    ]
    scale = task.target.high - task.target.low
    for number, criterion in enumerate(plan.criteria, start=1):
        definition = criterion.metric.definition
        if definition.of_milestone and not task.milestones:
            faults.append(
                f"criteria {number}, metric, {criterion.metric}: the task has no milestone"
            )
        if definition.unit is Unit.POINTS and criterion.worse_by_at_most >= scale:
            faults.append(
                f"criteria {number}, worse_by_at_most is {criterion.worse_by_at_most:g}, but the"
                f" whole scale has {scale:g} points, so no version could break it"
            )
    return faults
