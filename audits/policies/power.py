"""What a group of a given size can show under a rule, by the bounds that decide.

Letters: G possible results of the group, from best to worst.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audits.judging.gather import bounds_of, limit_of
from audits.judging.policy import Policy, Rule
from audits.measure.disparity import Direction, Scope, Statistic
from audits.measure.metric_definitions import Unit
from audits.measure.people import Moments, PeopleOfGroups

STEPS = 2001
REST_SHARE = 0.2
"""Share assumed among everyone else, where a rule compares shares."""

CAN_BE_COMPUTED = {Statistic.VALUE, Statistic.DIFFERENCE, Statistic.AGAINST_COMPARATOR}
BOUNDED = {Unit.POINTS, Unit.SHARE}


def has_bound(rule: Rule) -> bool:
    """Whether a rule is decided by a bound that follows from the number of people."""
    return rule.statistic in CAN_BE_COMPUTED and rule.metric.definition.unit in BOUNDED


def worst_that_passes(rule: Rule, policy: Policy, people: int) -> float | None:
    """Return the worst result at which a rule still passes; None where none does, or is computed.

    Rules on everyone use all people. Others use a group of half of them, which is the best case: a
    smaller group shows less. People's scores are taken to differ by one important difference
    (standard deviation), each person to have one forecast, and, where a rule compares shares, one
    in five of everyone else to have the result.

    Parameters
    ----------
    people
        In the audit.
    """
    group = people if rule.scope is Scope.OVERALL else people // 2
    unit = rule.metric.definition.unit
    needed = max(rule.minimum_subjects, rule.minimum_events or 0)
    if group < needed or not has_bound(rule):
        return None
    shares = unit is Unit.SHARE
    is_value = rule.statistic is not Statistic.DIFFERENCE
    value_G = np.arange(group + 1) / group if shares else _points(policy)
    rest_G = np.full(len(value_G), REST_SHARE if shares and not is_value else 0.0)
    spread = None if shares else policy.important_difference**2
    sides = PeopleOfGroups(
        inside=_moments(value_G, group, spread),
        rest=_moments(rest_G, max(people - group, 2), spread),
        pooled_G=np.full(len(value_G), np.nan if spread is None else spread),
        rows_each_G=np.ones(len(value_G)),
    )
    bounds, limit = bounds_of(rule, sides), limit_of(rule)
    passes_G = np.maximum(limit.excess(bounds.low_G), limit.excess(bounds.high_G)) <= 0
    if not passes_G.any():
        return None
    shown_G = bounds.estimate_G[passes_G]
    return float(shown_G.min() if rule.direction is Direction.AT_LEAST else shown_G.max())


def _points(policy: Policy) -> NDArray[np.float64]:
    return np.linspace(-3 * policy.important_difference, 3 * policy.important_difference, STEPS)


def _moments(mean_G: NDArray[np.float64], people: int, variance: float | None) -> Moments:
    number_G = np.full(len(mean_G), float(people))
    of_shares_G = mean_G * (1 - mean_G) * people / (people - 1)
    return Moments(
        people_G=number_G,
        effective_G=number_G,
        mean_G=mean_G,
        variance_G=of_shares_G if variance is None else np.full(len(mean_G), variance),
    )
