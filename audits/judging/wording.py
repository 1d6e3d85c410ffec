"""The sentence of a finding: what was measured, in whom, how certain it is, and the limit."""

from __future__ import annotations

import math

from audits.judging.evidence import Evidence, HeldBy
from audits.judging.policy import Rule
from audits.judging.units import RATIO_DECIMALS, ScoreUnit, in_unit, numbers
from audits.measure.disparity import Direction, Statistic
from audits.measure.groups import EVERYONE
from audits.measure.metric_definitions import Unit
from contracts.predictions import PATTERN
from contracts.scope import Scope
from contracts.verdict import Outcome, Shortage

JUDGEMENT = {
    Outcome.PASS: "the whole interval is within the limit of {limit}",
    Outcome.BLOCKED: "the whole interval is beyond the limit of {limit}",
    Outcome.REVIEW: "the estimate is beyond the limit of {limit}, but not with certainty",
    Outcome.INSUFFICIENT: "the estimate is within the limit of {limit}, but not with certainty",
}


def sentence(evidence: Evidence, outcome: Outcome) -> str:
    """Return the reason of a finding."""
    rule, unit = evidence.rule, evidence.score_unit
    who, limit, result = _who(evidence), limit_in_words(rule, unit), _result(evidence)
    if evidence.shortage is not None:
        named = f": {', '.join(evidence.small_groups)}" if evidence.small_groups else ""
        why = missing(rule, evidence.shortage) + named
        so_far = "so far beyond the limit that it is suspected all the same: "
        suspicion = so_far if outcome is Outcome.REVIEW else "so far, "
        return f"{who}: {why}; {suspicion}{result}, limit {limit}."
    if evidence.interval is None or not math.isfinite(evidence.estimate):
        return f"{who}: {result}, too rarely defined for an interval; limit {limit}."
    is_kept = all(
        rule.direction.excess(end, rule.limit) <= 0
        for end in (evidence.interval.low, evidence.interval.high)
    )
    spread = quantity(rule, unit, evidence.interval.low, evidence.interval.high)
    judgement = JUDGEMENT[outcome].format(limit=limit)
    if is_kept and outcome is Outcome.INSUFFICIENT:
        judgement = (
            f"within the limit of {limit}, but not if the outcomes that this group lost more than"
            f" others were its worst ({quantity(rule, unit, evidence.to_bear)} to bear)"
        )
    clusters = "".join(map(_held_by, evidence.held_by))
    return (
        f"{who}: {result} ({100 * rule.confidence:g} % interval {spread}); {judgement}.{clusters}"
    )


def _held_by(held: HeldBy) -> str:
    """Say that people of a cluster were not taken to be independent."""
    few = (
        "; that is too few to show how alike their people are, so all of the cohort's stand in"
        if held.is_few
        else ""
    )
    return f" Clusters by {held.clustering}: {held.clusters} with people of this group{few}."


def limit_in_words(rule: Rule, unit: ScoreUnit) -> str:
    """Return a rule's limit with its direction and unit."""
    if rule.direction is Direction.WITHIN:
        return quantity(rule, unit, -rule.limit, rule.limit)
    return f"{rule.direction} {quantity(rule, unit, rule.limit)}"


def quantity(rule: Rule, unit: ScoreUnit, *values: float) -> str:
    """Return one or two numbers in the unit of a rule's statistic."""
    if rule.statistic.is_ratio:
        return f"{numbers(unit, RATIO_DECIMALS, *values)} times"
    if rule.metric.definition.unit is Unit.SHARE and rule.statistic is not Statistic.VALUE:
        return f"{numbers(unit, 0, *(100 * value for value in values))} percentage points"
    return in_unit(rule.metric, unit, *values)


def scope_in_words(scope: Scope) -> list[str]:
    """Say for whom a model passed: one line each for everyone, groups outside and pairs outside."""
    if scope.is_everyone:
        return ["For everyone who belongs to groups of this audit."]
    lines = [
        f"No forecast for {group_in_words(a.attribute, group.label)}: not shown to keep"
        f" {_rules(group.rules)}."
        for a in scope.attributes
        for group in a.outside
    ]
    lines += [
        "No forecast for people who are both "
        + " and ".join(map(group_in_words, pair.attributes, pair.labels))
        + f": in doubt whether they keep {_rules(pair.rules)}."
        for pair in scope.pairs
    ]
    share = f"At least {10 * scope.share_inside:.0f} in 10 of the people audited get a forecast."
    return [share, *lines]


def _rules(names: tuple[str, ...]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def group_in_words(axis: str, group: str) -> str:
    """Return a group with its attribute, such as `sex: female`; or `everyone`.

    A label without a letter is a code: what it stands for is not in the data, and so it is said.
    """
    if axis == EVERYONE:
        return EVERYONE
    is_code = not any(map(str.isalpha, group))
    return f"{axis.removeprefix(PATTERN)}: {'code ' * is_code}{group}"


def missing(rule: Rule, shortage: Shortage) -> str:
    """Say what there is too little of, and where."""
    people = f"fewer people than the {rule.minimum_subjects} needed"
    events = f"fewer events than the {rule.minimum_events} needed"
    elsewhere = "in the rest, which it is compared with"
    return {
        Shortage.GROUPS: f"some of its groups have {people}",
        Shortage.PEOPLE: people,
        Shortage.EVENTS: events,
        Shortage.REST_PEOPLE: f"{people} {elsewhere}",
        Shortage.REST_EVENTS: f"{events} {elsewhere}",
    }[shortage]


def _who(evidence: Evidence) -> str:
    counts, day = evidence.counts, evidence.measure.horizon_day
    events = "" if counts.events is None else f", {counts.events} events"
    when = "" if day is None else f", day {day}"
    group = group_in_words(evidence.axis, evidence.group)
    return f"{group} (n = {counts.subjects}{events}{when})"


def _result(evidence: Evidence) -> str:
    rule, unit, estimate = evidence.rule, evidence.score_unit, evidence.estimate
    name = evidence.measure.name
    if not math.isfinite(estimate):
        return f"{name} cannot be computed"
    if rule.statistic is Statistic.VALUE:
        return f"{name} {quantity(rule, unit, estimate)}"
    if rule.statistic.is_ratio or rule.statistic.of_attribute:
        return f"{name}, {rule.statistic}: {quantity(rule, unit, estimate)}"
    side = "above" if estimate >= 0 else "below"
    other = "everyone else's" if rule.comparator is None else f"that of {rule.comparator}"
    return f"{name} {quantity(rule, unit, abs(estimate))} {side} {other}"


def recovery_rule_in_words(comparator: str, published: bool) -> tuple[str, ...]:
    """Say that a bedside rule is nobody's finding; nothing where one was published."""
    if published:
        return ()
    return (
        "Of this instrument nobody published a recovery rule that we know of."
        f" “{comparator}” is here a share of what is missing, fitted to the people trained on:"
        " where a rule speaks of the published one, this is what the model has to beat.",
    )
