"""Says in one plain sentence what was found, in whom, how surely, and against which limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from audits.intervals import Interval
from audits.measures import Measure
from audits.partitions import EVERYONE
from audits.policy import Direction, Rule, Statistic
from audits.scores import GroupScore
from contracts.verdict import Outcome

JUDGEMENT = {
    Outcome.PASS: "all of it within the limit of {limit}",
    Outcome.FAIL: "all of it beyond the limit of {limit}",
    Outcome.INSUFFICIENT: "on both sides of the limit of {limit}: it could be either",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a rule is judged on, in one group.

    Parameters
    ----------
    rule, measure, axis, score
        Which rule, measured how, on which group.
    estimate
        The rule's statistic in the group; NaN where it has no denominator.
    interval
        Its confidence interval; None where replicates are too rarely defined.
    confidence
        Of the interval.
    """

    rule: Rule
    measure: Measure
    axis: str
    score: GroupScore
    estimate: float
    interval: Interval | None
    confidence: float


def sentence(evidence: Evidence, outcome: Outcome) -> str:
    """Return the reason of a finding."""
    rule, score = evidence.rule, evidence.score
    who = _who(evidence.axis, score)
    limit = limit_in_words(rule)
    found = _found(evidence)
    if lack := shortage(rule, score):
        return f"{who}: {lack}; so far, {found}, limit {limit}."
    if evidence.interval is None or not math.isfinite(evidence.estimate):
        return f"{who}: {found}, too rarely defined for an interval; limit {limit}."
    spread = quantity(rule, evidence.interval.low, evidence.interval.high)
    judged = JUDGEMENT[outcome].format(limit=limit)
    return f"{who}: {found} ({100 * evidence.confidence:g} % interval {spread}), {judged}."


def shortage(rule: Rule, score: GroupScore) -> str:
    """Say what a group lacks to be judged by a rule; empty where it lacks nothing."""
    if score.subjects < rule.minimum_subjects:
        return f"fewer people than the {rule.minimum_subjects} needed"
    if rule.minimum_events is not None and (score.events or 0) < rule.minimum_events:
        return f"fewer who reached it than the {rule.minimum_events} needed"
    return ""


def limit_in_words(rule: Rule) -> str:
    """Return a rule's limit with its direction and unit."""
    if rule.direction is Direction.WITHIN:
        return quantity(rule, -rule.limit, rule.limit)
    return f"{rule.direction} {quantity(rule, rule.limit)}"


def quantity(rule: Rule, *values: float) -> str:
    """Return one or two numbers in the unit of a rule's statistic."""
    if not rule.metric.is_share:
        return f"{' to '.join(_plain(value, 2) for value in values)} points"
    unit = "%" if rule.statistic is Statistic.VALUE else "percentage points"
    return f"{' to '.join(_plain(100 * value, 0) for value in values)} {unit}"


def _plain(value: float, decimals: int) -> str:
    # Adding zero turns a rounded -0.0 into 0.0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _who(axis: str, score: GroupScore) -> str:
    who = EVERYONE if axis == EVERYONE else f"{axis}: {score.group}"
    reached = "" if score.events is None else f", {score.events} of them reached it"
    return f"{who} (n = {score.subjects}{reached})"


def _found(evidence: Evidence) -> str:
    rule, estimate = evidence.rule, evidence.estimate
    if not math.isfinite(estimate):
        return f"{evidence.measure.name} cannot be computed"
    if rule.statistic is Statistic.VALUE:
        return f"{evidence.measure.name} {quantity(rule, estimate)}"
    side = "above" if estimate >= 0 else "below"
    other = "everyone else's" if rule.comparator is None else f"that of {rule.comparator}"
    return f"{evidence.measure.name} {quantity(rule, abs(estimate))} {side} {other}"
