"""Tests as runs, entries of the ledger and editions show them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from audits.judging.wording import group_in_words
from audits.measure.groups import EVERYONE
from audits.report.monthly.content import PointShown
from audits.report.monthly.wording import e_value_in_words
from audits.sequential.course import Courses, Point
from audits.sequential.plan import MonitoringPlan
from audits.sequential.state import Standing, Standings
from contracts.digests import record_digest
from contracts.groups import MINIMUM_SHOWN, people_in_words
from rehabcast.evidence.watched import Watched
from serving.state.evidence.accounts import counted
from serving.state.evidence.counting import Followed
from serving.state.store import Store

LARGEST_SHOWN = 5
"""Tests that a result names, those that speak most against a rule first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTest:
    """One test as it stands.

    Parameters
    ----------
    rule, attribute, group, side, milestone
        What is tested: that the rule is kept for the group, on one side of its limit.
    e_value, largest
        How much wealth bets against it have made of 1: now, and at most. Of `foremost` as editions
        show it: to two digits, anew when 11 more people paid. None where fewer than 11 have paid.
    needed
        The e-value at which this test alone restricts or suspends; of lost outcomes, warns.
    """

    rule: str
    attribute: str
    group: str
    side: str
    milestone: str | None
    e_value: float | None
    largest: float | None
    needed: float


def foremost(stand: Standings, went: Courses, plan: MonitoringPlan) -> tuple[ShownTest, ...]:
    """Return the tests that speak most against a rule, for what each needs to act or warn.

    Between two runs a single person may have paid: so they are shown as editions show them.
    """
    tests = [
        replace(shown(each, plan), e_value=points[-1].e_value, largest=points[-1].largest)
        for each, points in zip(stand.tests, went.tests, strict=True)
        if points
    ]
    tests.sort(key=lambda t: (t.largest or 0.0) / t.needed)
    return tuple(reversed(tests[-LARGEST_SHOWN:]))


def shown(test: Standing, plan: MonitoringPlan) -> ShownTest:
    """Return a test as entries of the ledger keep it."""
    each = test.hypothesis
    alpha = plan.warn_alpha if each.warns_only else plan.alpha
    is_small = test.payoffs < MINIMUM_SHOWN
    return ShownTest(
        rule=each.rule, attribute=each.axis, group=each.group, milestone=each.milestone,
        side=each.side, e_value=None if is_small else test.e_value,
        largest=None if is_small else test.largest, needed=1 / (alpha * test.weight),
    )  # fmt: skip


def evidence_of(
    store: Store, version: Watched, followed: Followed, stand: Standings,
    because: Sequence[Standing], plan: MonitoringPlan,
) -> dict[str, Any]:  # fmt: skip
    """Return what an entry of the ledger keeps of the evidence; nothing about a person.

    Parameters
    ----------
    followed
        By what the people of the tests are counted.
    because
        The tests that name a rule and a group.
    plan
        By which these tests stand.
    """
    _, weeks = counted(store, followed.service)
    return {
        "plan": version.plan.digest,
        "policy": version.policy.digest,
        "terms": followed.terms,
        "weeks": stand.weeks,
        "people_due": people_in_words(stand.due),
        "people_observed": people_in_words(stand.observed),
        "tests": [asdict(shown(each, plan)) for each in because],
        # Of every number that was kept: who recomputes them gets the same.
        "sums_digest": record_digest({"weeks": json.loads(json.dumps(weeks))}),
    }


def which(because: Sequence[Standing], stand: Standings) -> str:
    """Say which rules tests are about; where none alone names one, that all speak together."""
    rules = "; ".join(dict.fromkeys(map(_named, because)))
    return rules or f"all tests together (mean e-value {e_value_in_words(stand.largest_mean)})"


def _named(each: Standing) -> str:
    """Say which rule a test is about, of whom, and what it has reached."""
    is_shown = each.payoffs >= MINIMUM_SHOWN
    e_value = f" (e-value {e_value_in_words(each.largest)})" if is_shown else ""
    return rule_in_words(each) + e_value


def rule_in_words(each: Standing) -> str:
    """Say which rule a test is about, and of whom."""
    test = each.hypothesis
    who = "" if test.axis == EVERYONE else f" for {group_in_words(test.axis, test.group)}"
    return f"“{test.rule}”{who}"


def point_shown(point: Point) -> PointShown:
    """Return a point of a test's course as editions show it."""
    return PointShown(
        week_ends=ends(point.week).isoformat(), e_value=point.e_value, largest=point.largest
    )


def ends(week: int) -> date:
    """Return the last day of a week of the record."""
    return date.fromordinal(7 * week + 6)
