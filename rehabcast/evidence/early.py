"""What outcomes of earlier horizons begin to say: looked at by each run of monitoring.

It only warns. Its account is another than that of the tests that act, so that those are the same
numbers whether or not this is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from audits.report.monthly.content import EarlyOutcomes, TestShown
from audits.sequential.course import Courses, courses
from audits.sequential.early import not_asked_early, plan_of_early
from audits.sequential.plan import MonitoringPlan
from audits.sequential.state import Standings, standings
from contracts.groups import MINIMUM_SHOWN, people_in_words
from rehabcast.evidence.shown_tests import (
    ShownTest,
    evidence_of,
    foremost,
    point_shown,
    rule_in_words,
)
from rehabcast.evidence.sums import sums_of
from rehabcast.evidence.watched import Watched
from serving.state.evidence.accounts import counted, week_of
from serving.state.evidence.counting import Followed, close_weeks, take_in
from serving.state.store import Store

EARLY = "early outcomes"
"""What its warning is about."""

FIRST_IS_PRIMARY = "the task has no horizon before the one at which outcomes count"
NOT_IN_PLAN = "the monitoring plan asks nothing of earlier horizons"
NO_RULE = "no rule of the policy can be asked of an earlier horizon"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyRun:
    """Where the tests of earlier horizons stand; they only warn.

    Parameters
    ----------
    horizon_weeks
        The earliest horizon, in weeks after enrolment; None where nothing is asked.
    people_due, people_observed
        People whose early outcome was due, and of whom it came; rounded, in words.
    tests
        How many tests there are.
    warns
        Whether one has reached what it needs, of a group that is served.
    said
        What follows, or why nothing is asked, in words.
    foremost
        The tests that speak most, as of `MonitoringRun`; what is needed is needed to warn.
    not_asked
        Rules that are tested when outcomes count, but of which nothing is asked early.
    """

    horizon_weeks: int | None
    people_due: str
    people_observed: str
    tests: int
    warns: bool
    said: str
    foremost: tuple[ShownTest, ...]
    not_asked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyLook:
    """A look: what is shown of it, and what a warning would keep; None where there is none."""

    run: EarlyRun
    warning: Mapping[str, Any] | None = None


def look(store: Store, version: Watched, now: date, out: frozenset[tuple[str, str]]) -> EarlyLook:
    """Count the early outcomes that are due, and look at the tests.

    Parameters
    ----------
    out
        Groups out of scope already: nobody is warned of them.

    Raises
    ------
    ContractError
        The version was followed by other terms until now.
    """
    followed = version.followed_early
    if followed is None:
        return EarlyLook(run=_nothing(why_not(version)))

    take_in(store, followed)
    close_weeks(
        store, followed, now, lambda tables: sums_of(tables, version.policy, version.tested_early)
    )
    stand, went, plan = _stand(store, version, followed)
    because = tuple(
        each
        for each in stand.in_scope(out)
        if each.payoffs >= MINIMUM_SHOWN and each.reaches(plan.warn_alpha)
    )
    said = "early outcomes speak against no rule"
    if because:
        rules = "; ".join(dict.fromkeys(map(rule_in_words, because)))
        said = f"early outcomes begin to speak against {rules}"
    run = EarlyRun(
        horizon_weeks=_weeks(followed),
        people_due=people_in_words(stand.due),
        people_observed=people_in_words(stand.observed),
        tests=len(stand.tests),
        warns=bool(because),
        said=said,
        foremost=foremost(stand, went, plan),
        not_asked=not_asked_early(version.policy),
    )
    if not because:
        return EarlyLook(run=run)
    evidence = evidence_of(store, version, followed, stand, because, plan) | {
        "said": said, "horizon_weeks": run.horizon_weeks,
    }  # fmt: skip
    return EarlyLook(run=run, warning=evidence)


def early_outcomes(store: Store, version: Watched, after: date) -> EarlyOutcomes:
    """Return what an edition says of the early tests, of weeks that were over before a day."""
    followed = version.followed_early
    if followed is None:
        return EarlyOutcomes(weeks=None, why_not=why_not(version), tests=())
    stand, went, plan = _stand(store, version, followed, week_of(after))
    return EarlyOutcomes(
        weeks=_weeks(followed),
        why_not=None,
        tests=tuple(
            TestShown(
                rule=each.hypothesis.rule, attribute=each.hypothesis.axis,
                group=each.hypothesis.group, side=each.hypothesis.side, milestone=None,
                needed=1 / (plan.warn_alpha * each.weight), warns_only=True,
                points=tuple(map(point_shown, points)),
            )
            for each, points in zip(stand.tests, went.tests, strict=True)
        ),
    )  # fmt: skip


def why_not(version: Watched) -> str:
    """Say why nothing is asked of an earlier horizon."""
    if version.plan.early is None:
        return NOT_IN_PLAN
    return FIRST_IS_PRIMARY if version.early_task is None else NO_RULE


def _stand(
    store: Store, version: Watched, followed: Followed, until: int | None = None
) -> tuple[Standings, Courses, MonitoringPlan]:
    """Return where the tests stand and how they went, of weeks before one, and by which plan."""
    assert version.plan.early is not None  # noqa: S101  (something is followed)
    plan = plan_of_early(version.plan, version.plan.early)
    first, weeks = counted(store, followed.service, until)
    return (
        standings(first, weeks, version.tested_early, plan),
        courses(first, weeks, version.tested_early, plan),
        plan,
    )


def _weeks(followed: Followed) -> int:
    return followed.task.primary_horizon_weeks


def _nothing(why: str) -> EarlyRun:
    nobody = people_in_words(0)
    return EarlyRun(
        horizon_weeks=None, people_due=nobody, people_observed=nobody, tests=0, warns=False,
        said=why, foremost=(), not_asked=(),
    )  # fmt: skip
