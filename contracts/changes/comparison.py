"""What an audit found of a version beside the one in service, under a change plan."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from contracts.changes.facts import VersionFacts


class Shown(StrEnum):
    """Whether a version was shown to be no worse than a criterion allows."""

    MET = "met"
    NOT_MET = "not met"
    """Worse by more than the limit, or probably so."""
    NOT_SHOWN = "not shown"
    """Too few people or no forecasts to compare."""


class CriterionResult(BaseModel):
    """A criterion applied to one group; no number, so that it tells of nobody.

    Parameters
    ----------
    criterion
        Its place in the plan, from 0.
    measure, milestone
        The metric, with the milestone where it is of one; and that milestone.
    axis, group
        Of whom.
    horizon_day
        At which horizon; None over all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    criterion: int
    measure: str
    milestone: str | None = None
    axis: str
    group: str
    horizon_day: int | None = None
    result: Shown


class ServedComparison(BaseModel):
    """Forecasts of a shadow and the champion for the same people in service, with their outcomes.

    Parameters
    ----------
    pairs_digest
        SHA-256 of the signed table of pairs; empty in the table itself.
    champion_bundle_digest, bundle_digest
        Whose forecasts: the version's in service, and its shadow's.
    record_head
        The service's record when it was read: the hash of its last entry.
    made_at, made_by
        When (UTC, ISO 8601) and by whom.
    monitoring_plan
        Digest of the plan that says when an outcome is due.
    points
        Differences in score points beyond a limit count up to this many.
    simulated
        Whether the people are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs_digest: str = ""
    champion_bundle_digest: str
    bundle_digest: str
    record_head: str
    made_at: str
    made_by: str
    monitoring_plan: str
    points: float
    simulated: bool


class PlanComparison(BaseModel):
    """A version beside the one in service, under the change plan of its line.

    Parameters
    ----------
    plan_digest
        The plan that was in force at the audit.
    champion, champion_bundle_digest
        The version that was last in service, revoked or not; None where there was none.
    returns
        Whether this very bundle was last in service, or earlier and was not revoked since.
    before, after
        What that version is, and this one; before is None where there was none. Of a bundle that
        returns, before is itself, served to whom it was served last.
    fewer_people
        Whether this one was trained on fewer people. How many is not told: the numbers of two
        versions would tell how many came or wait.
    external_validation
        Whether an external cohort counts in the verdict.
    other_outcomes
        Whether forecasts are left out of the comparison because their outcome has changed since.
    criteria
        What was found by the plan's criteria.
    served
        The comparison in service that criteria on people served were judged on; None without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan_digest: str
    champion: str | None = None
    champion_bundle_digest: str | None = None
    returns: bool = False
    before: VersionFacts | None = None
    after: VersionFacts
    fewer_people: bool = False
    other_outcomes: bool = False
    external_validation: bool = False
    criteria: tuple[CriterionResult, ...] = ()
    served: ServedComparison | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_not_there(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Write a comparison as before there were shadows, where there is none."""
        record: dict[str, Any] = serialize(self)
        if self.served is None:
            record.pop("served", None)
        return record
