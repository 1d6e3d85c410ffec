"""What the author of a change plan is asked for; each mistake is named with where and what to do.

Only a file is held to this, and never a plan on record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from audits.changes.plan import (
    ChangePlan,
    Criterion,
    PlannedChange,
    RetrainWhen,
    Rollback,
    ShownOn,
    Who,
)
from audits.measure.metric_definitions import SCORE, Better, Unit
from audits.measure.metrics import Metric, range_of
from audits.measure.people import has_person_means
from contracts.declarations import read_declaration
from contracts.errors import ContractError
from contracts.naming.model_version import model_name

LEAST_CONFIDENCE = 0.9
"""Of one bound: less would let a version pass that is as likely as not worse."""

Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=20)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Change(PlannedChange):
    description: Sentence
    test: Sentence
    impact: Sentence


class _Criterion(Criterion):
    attributes: Annotated[tuple[Word, ...], Field(min_length=1)] | None = None
    worse_by_at_most: Annotated[float, Field(ge=0)]
    confidence: Annotated[float, Field(ge=LEAST_CONFIDENCE, lt=1)] = 0.95
    minimum_people: Annotated[int, Field(ge=8)] = 8
    minimum_events: Annotated[int, Field(ge=8)] = 8
    rationale: Sentence

    @model_validator(mode="after")
    def _makes_sense(self) -> _Criterion:
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
            "on people served each person counts once, by the primary horizon: leave each_horizon"
            " out": self.shown_on is ShownOn.SERVED and self.each_horizon,
            "on people served each person needs a number of their own; use one of"
            f" {', '.join(OF_PEOPLE_SERVED)}": self.shown_on is ShownOn.SERVED
            and self.metric in COMPARED
            and self.metric not in OF_PEOPLE_SERVED,
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


OF_PEOPLE_SERVED = tuple(
    metric
    for metric in OF_EACH_PERSON
    if has_person_means(metric) and range_of(metric, points=1.0) is not None
)
"""Of these each person whom both versions forecast has a number of each, within a known range."""


class _RetrainWhen(RetrainWhen):
    conditions: Annotated[tuple[Sentence, ...], Field(min_length=1)]


class _Rollback(Rollback):
    conditions: Annotated[tuple[Sentence, ...], Field(min_length=1)]
    how: Sentence


class _Plan(ChangePlan):
    line: Word
    version: Word
    impact_together: Sentence
    changes: Annotated[tuple[_Change, ...], Field(min_length=1)]
    criteria: Annotated[tuple[_Criterion, ...], Field(min_length=1)]
    retrain_when: _RetrainWhen
    rollback: _Rollback

    @field_validator("line")
    @classmethod
    def _is_a_name(cls, line: str) -> str:
        try:
            return model_name(line)
        except ContractError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _makes_sense(self) -> _Plan:
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
                    (other.metric, other.shown_on, other.who, other.attributes)
                    == (criterion.metric, criterion.shown_on, Who.EACH_GROUP, None)
                    and other.each_horizon is criterion.each_horizon
                    and other.worse_by_at_most < criterion.worse_by_at_most
                ):
                    yield (
                        f"criteria: {criterion.metric} may be worse by"
                        f" {criterion.worse_by_at_most:g} for everyone, but only by"
                        f" {other.worse_by_at_most:g} for each group, so that the first never"
                        " decides: lower it"
                    )


def _same(one: Criterion, other: Criterion) -> bool:
    """Return whether two criteria limit the same number of the same group."""
    if (one.metric, one.who, one.each_horizon, one.shown_on) != (
        other.metric, other.who, other.each_horizon, other.shown_on
    ):  # fmt: skip
        return False
    if one.attributes is None or other.attributes is None:
        return True
    return bool(set(one.attributes) & set(other.attributes))


def load_plan(path: Path) -> ChangePlan:
    """Read a change plan.

    Raises
    ------
    ContractError
        The file is not TOML, or a key is unknown, missing, of a wrong type or impossible.
    """
    written = read_declaration(
        path,
        _Plan,
        "a change plan",
        "correct the file; `rehabcast plan new FILE --line NAME` writes one that is right",
        kind="change-plan",
    )
    return ChangePlan.model_validate(written.model_dump())
