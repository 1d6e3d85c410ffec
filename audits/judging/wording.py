"""Says in one plain sentence what was found, in whom, how surely, and against which limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from audits.judging.policy import Policy, Rule
from audits.measure.definitions import Unit
from audits.measure.disparity import ALL_GROUPS, Direction, Statistic
from audits.measure.intervals import Interval
from audits.measure.measures import Measure, Metric
from audits.measure.partitions import EVERYONE
from contracts.verdict import Outcome
from contracts.vocabulary import vocabulary

SCORE = "{score}"
"""UCUM annotation of scores: they have no unit but their points."""

JUDGEMENT = {
    Outcome.PASS: "all of it within the limit of {limit}",
    Outcome.BLOCKED: "all of it beyond the limit of {limit}",
    Outcome.REVIEW: "the best guess beyond the limit of {limit}, but not surely",
    Outcome.INSUFFICIENT: "the best guess within the limit of {limit}, but not surely",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """People in a group, and the fewer of those with and without the milestone; None without."""

    subjects: int
    events: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a rule is judged on, in one group or over all groups of an attribute.

    Parameters
    ----------
    rule, measure, axis, attributes, group, counts
        Which rule, measured how, on which group of how many people.
    estimate, interval
        The rule's statistic, NaN where it has no denominator, with its confidence interval; None
        where replicates are too rarely defined.
    p_value
        That the limit is kept; None where undefined.
    small
        Groups left out of a statistic of the whole attribute because they are too small.
    """

    rule: Rule
    measure: Measure
    axis: str
    attributes: tuple[str, ...]
    group: str
    counts: Counts
    estimate: float
    interval: Interval | None
    p_value: float | None
    small: tuple[str, ...] = ()


def sentence(evidence: Evidence, outcome: Outcome) -> str:
    """Return the reason of a finding."""
    rule = evidence.rule
    who, limit, found = _who(evidence), limit_in_words(rule), _found(evidence)
    if lack := shortage(evidence):
        return f"{who}: {lack}; so far, {found}, limit {limit}."
    if evidence.interval is None or not math.isfinite(evidence.estimate):
        return f"{who}: {found}, too rarely defined for an interval; limit {limit}."
    spread = quantity(rule, evidence.interval.low, evidence.interval.high)
    judged = JUDGEMENT[outcome].format(limit=limit)
    return f"{who}: {found} ({100 * rule.confidence:g} % interval {spread}), {judged}."


def shortage(evidence: Evidence) -> str:
    """Say what a group lacks to be judged by a rule; empty where it lacks nothing."""
    rule, counts = evidence.rule, evidence.counts
    if evidence.small:
        return f"too few people to be compared: {', '.join(evidence.small)}"
    if counts.subjects < rule.minimum_subjects:
        return f"fewer people than the {rule.minimum_subjects} needed"
    if rule.minimum_events is not None and (counts.events or 0) < rule.minimum_events:
        return f"fewer events than the {rule.minimum_events} needed"
    return ""


def limit_in_words(rule: Rule) -> str:
    """Return a rule's limit with its direction and unit."""
    if rule.direction is Direction.WITHIN:
        return quantity(rule, -rule.limit, rule.limit)
    return f"{rule.direction} {quantity(rule, rule.limit)}"


def quantity(rule: Rule, *values: float) -> str:
    """Return one or two numbers in the unit of a rule's statistic."""
    if rule.statistic.is_ratio:
        return f"{' to '.join(_plain(value, 2) for value in values)} times"
    if rule.metric.definition.unit is Unit.SHARE and rule.statistic is not Statistic.VALUE:
        return f"{' to '.join(_plain(100 * value, 0) for value in values)} percentage points"
    return in_unit(rule.metric, *values)


def in_unit(metric: Metric, *values: float) -> str:
    """Return numbers in the unit of a metric's value."""
    unit = metric.definition.unit
    if unit is Unit.SHARE:
        return f"{' to '.join(_plain(100 * value, 0) for value in values)} %"
    decimals, word = {
        Unit.POINTS: (2, " points"), Unit.NUMBER: (3, ""), Unit.DAYS: (0, " days"),
        Unit.HOURS: (1, " hours"),
    }[unit]  # fmt: skip
    return " to ".join(_plain(value, decimals) for value in values) + word


def on_scale(policy: Policy, value: float) -> str:
    """Return an amount of score in the instrument's own unit, to a tenth of what patients feel."""
    decimals = max(0, 1 - math.floor(math.log10(policy.important_difference)))
    code = vocabulary().get(policy.instrument)
    unit = "points" if code is None or code.unit == SCORE else code.unit
    return f"{_plain(abs(value), decimals)} {unit}"


def _plain(value: float, decimals: int) -> str:
    # Adding zero turns a rounded -0.0 into 0.0.
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _who(evidence: Evidence) -> str:
    counts, day = evidence.counts, evidence.measure.horizon_day
    who = EVERYONE if evidence.axis == EVERYONE else f"{evidence.axis}: {evidence.group}"
    events = "" if counts.events is None else f", {counts.events} events"
    when = "" if day is None else f", day {day}"
    return f"{who} (n = {counts.subjects}{events}{when})"


def _found(evidence: Evidence) -> str:
    rule, estimate = evidence.rule, evidence.estimate
    name = evidence.measure.name
    if not math.isfinite(estimate):
        return f"{name} cannot be computed"
    if rule.statistic is Statistic.VALUE:
        return f"{name} {quantity(rule, estimate)}"
    if rule.statistic.is_ratio or rule.statistic.of_axis:
        return f"{name}, {rule.statistic}: {quantity(rule, estimate)}"
    side = "above" if estimate >= 0 else "below"
    other = "everyone else's" if rule.comparator is None else f"that of {rule.comparator}"
    return f"{name} {quantity(rule, abs(estimate))} {side} {other}"


def group_name(labels_G: tuple[str, ...], group: int | None) -> str:
    """Return a group's label, or the words for all of them."""
    return ALL_GROUPS if group is None else labels_G[group]
