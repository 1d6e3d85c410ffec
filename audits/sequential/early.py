"""What outcomes before the primary horizon begin to say: the rules, asked earlier; they only warn.

A forecast is of several horizons, and the earlier ones come due months before the primary one. An
error there is a proxy of the error that a rule is about, so that what it shows is no broken rule:
nothing here can restrict, suspend or clear a version. The tests are those of
`audits.sequential.hypotheses`, with a limit and an error budget of their own, from another account
of the same people, so that no number of the tests that act depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from audits.judging.policy import Policy, Rule
from audits.measure.disparity import Statistic
from audits.measure.metric_definitions import Unit
from audits.measure.metrics import Metric
from audits.sequential.hypotheses import Hypothesis, bound_of, hypotheses, is_followed
from audits.sequential.plan import EarlyWarning, MonitoringPlan
from contracts.forecast import STATED_COVERAGE
from contracts.task import Task


def until_primary(task: Task) -> Task | None:
    """Return the task of the horizons before the primary one, the first of them its primary.

    Each person then counts by the earliest horizon of the forecast, unless that is the primary one.
    None where the task has no horizon before it.
    """
    earlier = tuple(h for h in task.horizons if h.weeks < task.primary_horizon_weeks)
    if not earlier:
        return None
    return task.model_copy(update={"horizons": earlier, "primary_horizon_weeks": earlier[0].weeks})


def is_asked_early(rule: Rule) -> bool:
    """Return whether a rule can be asked of an earlier horizon.

    Of differences in points from 0, and of coverage from what the interval promises. Milestones are
    reached by the primary horizon, and of other shares nobody said how good they should be.
    """
    return is_followed(rule) and (
        rule.metric.definition.unit is Unit.POINTS or rule.metric is Metric.COVERAGE
    )


def not_asked_early(policy: Policy) -> tuple[str, ...]:
    """Return the names of the rules that are tested in service, but not at an earlier horizon."""
    return tuple(
        rule.name for rule in policy.rules if is_followed(rule) and not is_asked_early(rule)
    )


def early_hypotheses(
    policy: Policy, groups: Mapping[str, Sequence[str]], points: float, early: EarlyWarning
) -> tuple[Hypothesis, ...]:
    """Return what is tested of earlier horizons; each only warns.

    Parameters
    ----------
    groups, points
        As of `hypotheses`.
    """
    rules = {rule.name: rule for rule in policy.rules if is_asked_early(rule)}
    return tuple(
        _asked_early(each, rules[each.rule], points, early.limit_share)
        for each in hypotheses(policy, groups, (), points)
        if each.rule in rules
    )


def plan_of_early(plan: MonitoringPlan, early: EarlyWarning) -> MonitoringPlan:
    """Return the plan by which early tests stand: the same bets, and their own budget to warn."""
    return plan.model_copy(update={"warn_alpha": early.alpha})


def _asked_early(each: Hypothesis, rule: Rule, points: float, share: float) -> Hypothesis:
    is_share = rule.metric is Metric.COVERAGE and rule.statistic is Statistic.VALUE
    promised = STATED_COVERAGE if is_share else 0.0
    limit = promised + share * (each.limit - promised)
    bound = bound_of(rule, each.sign, limit, points)
    return replace(each, limit=limit, bound=bound, warns_only=True)
