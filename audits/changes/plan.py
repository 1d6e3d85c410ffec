"""A change plan, read from TOML: planned changes, how each is tested, when to retrain and go back.

The parts are those of the FDA's guidance on predetermined change control plans (August 2025):
description of the changes, protocol of their tests, and assessment of their impact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from audits.measure.metric_definitions import SCORE, Better, Unit
from audits.measure.metrics import Metric
from contracts.changes.difference import ChangeKind
from contracts.declarations import read_declaration
from contracts.digests import record_digest
from contracts.errors import ContractError
from contracts.naming.model_version import model_name
from contracts.task import Task

EXAMPLE = Path(__file__).with_name("example.toml")
"""A plan that is right, to begin with."""

LEAST_CONFIDENCE = 0.9
"""Of one bound: less would let a version pass that is as likely as not worse."""

Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=20)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


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
    description: Sentence
    test: Sentence
    impact: Sentence
    external_validation: bool = False


class Who(StrEnum):
    """To whom a criterion applies."""

    EVERYONE = "everyone"
    EACH_GROUP = "each group"


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
    attributes: Annotated[tuple[Word, ...], Field(min_length=1)] | None = None
    each_horizon: bool = False
    worse_by_at_most: Annotated[float, Field(ge=0)]
    confidence: Annotated[float, Field(ge=LEAST_CONFIDENCE, lt=1)] = 0.95
    minimum_people: Annotated[int, Field(ge=8)] = 8
    minimum_events: Annotated[int, Field(ge=8)] = 8
    rationale: Sentence

    @model_validator(mode="after")
    def _makes_sense(self) -> Criterion:
        definition = self.metric.definition
        faults = {
            "attributes are for who = 'each group' only: leave them out": self.attributes
            is not None
            and self.who is Who.EVERYONE,
            "an attribute is named twice": len(set(self.attributes or ()))
            < len(self.attributes or ()),
            f"worse_by_at_most is {self.worse_by_at_most:g}, but shares go from 0 to 1 (5"
            " percentage points are 0.05)": definition.unit in {Unit.SHARE, Unit.NUMBER}
            and self.worse_by_at_most >= 1,
            "of this metric nobody can say which of two versions is worse, forecast by forecast;"
            f" use one of {', '.join(COMPARED)}": self.metric not in COMPARED,
        }
        if found := [fault for fault, is_present in faults.items() if is_present]:
            raise ValueError(f"{self.metric}, {self.who}: {'; '.join(found)}")
        return self


COMPARED = tuple(
    metric
    for metric in Metric
    if metric.definition.better in {Better.LOWER, Better.HIGHER}
    and metric.definition.of_forecasts
    and set(metric.definition.needs) <= set(SCORE)
)
"""Metrics of forecasts and outcomes of which lower, or higher, is better. Refusals are none: a
forecast that one of two versions refuses is compared for neither."""

OF_EACH_PERSON = tuple(
    metric for metric in COMPARED if metric not in {Metric.AUROC, Metric.POSITIVE_PREDICTIVE_VALUE}
)
"""Of these a difference for everyone lies between those of the groups."""


class RetrainWhen(_Strict):
    """When a new version is trained."""

    conditions: Annotated[tuple[Sentence, ...], Field(min_length=1)]


class Rollback(_Strict):
    """When an earlier version returns to service, and how."""

    conditions: Annotated[tuple[Sentence, ...], Field(min_length=1)]
    how: Sentence


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

    line: Word
    version: Word
    impact_together: Sentence
    changes: Annotated[tuple[PlannedChange, ...], Field(min_length=1)]
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    retrain_when: RetrainWhen
    rollback: Rollback

    @field_validator("line")
    @classmethod
    def _is_a_name(cls, line: str) -> str:
        try:
            return model_name(line)
        except ContractError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _makes_sense(self) -> ChangePlan:
        if faults := [*self._repeated(), *self._without(), *self._contradictory()]:
            raise ValueError("; ".join(faults))
        return self

    def _repeated(self) -> Iterator[str]:
        for kind, count in Counter(change.kind for change in self.changes).items():
            if count > 1:
                yield f"changes: '{kind}' is planned {count} times: describe it once"

    def _without(self) -> Iterator[str]:
        for who in Who:
            if not any(criterion.who is who for criterion in self.criteria):
                yield f"criteria: none is for {who}: add one, or a version could be worse there"

    def _contradictory(self) -> Iterator[str]:
        for number, criterion in enumerate(self.criteria):
            for other in self.criteria[:number]:
                if _same(criterion, other):
                    yield (
                        f"criteria: {criterion.metric} for {criterion.who} has two limits,"
                        f" {other.worse_by_at_most:g} and {criterion.worse_by_at_most:g}: keep one"
                    )
        for criterion in self.criteria:
            if criterion.who is not Who.EVERYONE or criterion.metric not in OF_EACH_PERSON:
                continue
            for other in self.criteria:
                if (
                    (other.metric, other.who, other.attributes)
                    == (criterion.metric, Who.EACH_GROUP, None)
                    and other.each_horizon is criterion.each_horizon
                    and other.worse_by_at_most < criterion.worse_by_at_most
                ):
                    yield (
                        f"criteria: {criterion.metric} may be worse by"
                        f" {criterion.worse_by_at_most:g} for everyone, but only by"
                        f" {other.worse_by_at_most:g} for each group, so that the first never"
                        " decides: lower it"
                    )

    @property
    def digest(self) -> str:
        """SHA-256 of the plan's content, whatever the layout of its file."""
        return record_digest(self.model_dump(mode="json"))

    def change(self, kind: ChangeKind) -> PlannedChange | None:
        """Return the planned change of a kind; None where it is not planned."""
        return next((change for change in self.changes if change.kind is kind), None)


def _same(one: Criterion, other: Criterion) -> bool:
    """Return whether two criteria limit the same number of the same group."""
    if (one.metric, one.who, one.each_horizon) != (other.metric, other.who, other.each_horizon):
        return False
    if one.attributes is None or other.attributes is None:
        return True
    return bool(set(one.attributes) & set(other.attributes))


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


def load_plan(path: Path) -> ChangePlan:
    """Read a change plan.

    Raises
    ------
    ContractError
        The file is not TOML, or a key is unknown, missing, of a wrong type or impossible.
    """
    return read_declaration(
        path,
        ChangePlan,
        "a change plan",
        "correct the file; `rehabcast plan new FILE --line NAME` writes one that is right",
    )
