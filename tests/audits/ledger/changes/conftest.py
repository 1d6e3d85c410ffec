"""Plans and comparisons of versions, small enough to be read."""

from __future__ import annotations

from typing import Any

import pytest

from audits.changes.authored import load_plan
from audits.changes.plan import EXAMPLE, ChangePlan
from contracts.changes.comparison import CriterionResult, PlanComparison, Shown
from contracts.changes.facts import Aspect, VersionFacts


@pytest.fixture(scope="session")
def plan() -> ChangePlan:
    return load_plan(EXAMPLE)


def facts(people: int = 90, **changed: Any) -> VersionFacts:
    """A version's facts; any aspect changed by its name."""
    data = {"data": (f"{people}",), **changed}
    return VersionFacts(
        facts={aspect: data.get(aspect.name.lower(), (f"{aspect} 1",)) for aspect in Aspect}
    )


def people_of(version: VersionFacts) -> int:
    (people,) = version.of(Aspect.DATA)
    return int(people)


def compared(
    plan: ChangePlan, champion: str, bundle: str, after: VersionFacts, **changed: Any
) -> PlanComparison:
    """A comparison in which every criterion is met."""
    before = changed.get("before", facts())
    fields: dict[str, Any] = {
        "plan_digest": plan.digest,
        "champion": champion,
        "champion_bundle_digest": bundle,
        "before": before,
        "after": after,
        "fewer_people": people_of(after) < people_of(before),
        "criteria": tuple(
            CriterionResult(
                criterion=number, measure=criterion.metric, axis="sex", group="female",
                result=Shown.MET,
            )
            for number, criterion in enumerate(plan.criteria)
        ),
    }  # fmt: skip
    return PlanComparison(**{**fields, **changed})
