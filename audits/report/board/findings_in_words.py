"""A finding in plain words: how much, between what, and if a rule was not shown to hold, why."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from audits.judging.findings import COMPARISON
from audits.judging.policy import Policy, Rule
from audits.judging.units import RATIO_DECIMALS, ScoreUnit, decimals_of, factor_of, fixed
from audits.judging.wording import group_in_words, missing, quantity
from audits.measure.disparity import Direction, Statistic
from audits.measure.metric_definitions import Unit
from audits.measure.metrics import Metric
from audits.report.content import Report
from contracts.verdict import Finding, Outcome

HIDDEN = "No number is shown."
HIDDEN_COUNT = "hidden"
JUDGED = {
    Outcome.PASS: "Within the limit.",
    Outcome.INSUFFICIENT: "Not certain",
    Outcome.REVIEW: "Probably beyond the limit",
    Outcome.BLOCKED: "Beyond the limit.",
}
COMPARED = {Statistic.DIFFERENCE, Statistic.AGAINST_COMPARATOR}
USUAL = "95 %"
"""Confidence of an interval beside which none is said."""


def rule_of(policy: Policy, finding: Finding) -> Rule | None:
    """Return the policy's rule of a finding; None where it is no rule of groups or of everyone."""
    return next((rule for rule in policy.rules if rule.name == finding.rule), None)


def is_of_binding_rule(policy: Policy, finding: Finding) -> bool:
    """Return whether a finding binds, or would if there were enough evidence."""
    rule = rule_of(policy, finding)
    return finding.binding or (rule is not None and rule.binding and not rule.must_be_shown)


def found(finding: Finding, rule: Rule | None, unit: ScoreUnit) -> str:
    """Say what was found, with its interval; the whole reason where no rule says how.

    Of a comparison it is not said with whom: every line of a table would repeat it.
    """
    if rule is None or (finding.value is None and finding.subjects == 0):
        return finding.reason
    if finding.subjects is None:
        return HIDDEN
    value, low, high = finding.value, finding.low, finding.high
    if value is None:
        return "It cannot be computed from these people."
    if low is not None and high is not None:
        unit = _apart(rule, unit, low, high)
    if rule.statistic not in COMPARED:
        amount = _amount(rule, unit, value)
    else:
        amount = f"{_amount(rule, unit, value)}{_side_unless_none(rule, unit, value)}"
    if low is None or high is None or low == high:
        return f"{amount}."
    return f"{amount}, {_between(rule, unit, low, high)}{_with(finding, rule)}."


def judged(finding: Finding, rule: Rule | None) -> str:
    """Say what a finding means for its rule, and what is missing if it was not shown to hold."""
    words = JUDGED[finding.outcome]
    if finding.subjects == 0:
        return "Not shown to hold."
    if finding.outcome in {Outcome.PASS, Outcome.BLOCKED}:
        return words
    why = None if rule is None else lacking(finding, rule)
    return f"{words}{'' if why is None else f': {why}'}."


def compared_with(rule: Rule) -> str:
    """Say with whom a rule compares, for a caption; nothing where it compares with nobody."""
    if rule.statistic not in COMPARED:
        return ""
    return f", compared with {rule.comparator or 'everyone else'}"


def lacking(finding: Finding, rule: Rule) -> str | None:
    """Say why a finding decides nothing; None where readers may not know."""
    if finding.subjects is None:
        return None
    if finding.shortage is not None:
        return missing(rule, finding.shortage)
    if finding.value is None or finding.low is None or finding.high is None:
        return "too rarely defined for an interval"
    ends = (finding.low, finding.high)
    within = [rule.direction.excess(end, rule.limit) <= 0 for end in ends]
    spans = rule.direction is Direction.WITHIN and finding.low < 0 < finding.high
    if not any(within) and not spans:
        return "so is its whole interval, but one in so many comparisons may be by chance"
    if not all(within):
        where = "beyond" if finding.outcome is Outcome.INSUFFICIENT else "back within"
        return f"the interval reaches {where} the limit"
    if finding.outcome is Outcome.INSUFFICIENT:
        return "it would not hold if the outcomes that they lost more than others were their worst"
    return "the interval ends so close to it that another draw could decide otherwise"


def beyond(report: Report) -> list[Finding]:
    """Return the findings beyond their limits, binding or not, certainly or by the estimate."""
    return [f for f in report.verdict.findings if is_beyond(f, rule_of(report.policy, f))]


def is_beyond(finding: Finding, rule: Rule | None) -> bool:
    """Return whether a finding is beyond its limit, certainly or by the estimate alone."""
    if finding.outcome in {Outcome.REVIEW, Outcome.BLOCKED}:
        return True
    return (
        rule is not None
        and finding.value is not None
        and rule.direction.excess(finding.value, rule.limit) > 0
    )


def all_within(report: Report) -> bool:
    """Return whether every number of the audit is known to be within its limit.

    A number that is hidden or could not be computed is known only where its rule was shown to hold.
    """
    measured = [f for f in report.verdict.findings if f.metric != COMPARISON and f.subjects != 0]
    unknown = (f for f in measured if f.outcome is not Outcome.PASS and f.value is None)
    return bool(measured) and not any(unknown) and not beyond(report)


def people_in_words(report: Report, finding: Finding) -> str:
    """Return whom a finding is about; of a pair both groups, each with its attribute."""
    labels: dict[str, dict[str, None]] = {}
    for row in report.performance:
        labels.setdefault(row.axis, {})[row.group] = None
    pairs = product(*(labels.get(attribute, {}) for attribute in finding.attributes))
    parts = next((pair for pair in pairs if " & ".join(pair) == finding.group), None)
    if parts is None or len(parts) < 2:
        return group_in_words(finding.axis, finding.group)
    return " and ".join(map(group_in_words, finding.attributes, parts))


def names(items: Iterable[str], most: int) -> str:
    """Return the first of a list of names, and how many more there are."""
    listed = list(dict.fromkeys(items))
    more = len(listed) - most
    return "; ".join(listed[:most]) + (f"; and {more} more" if more > 0 else "")


def confidence_in_words(finding: Finding, rule: Rule) -> str:
    """Return the confidence of a finding's interval."""
    return f"{100 * (finding.confidence or rule.confidence):.4g} %"


def _with(finding: Finding, rule: Rule) -> str:
    """Say the confidence of an interval where it is not the usual one."""
    confidence = confidence_in_words(finding, rule)
    return "" if confidence == USUAL else f" (with {confidence} confidence)"


def _apart(rule: Rule, unit: ScoreUnit, low: float, high: float) -> ScoreUnit:
    """Return a unit in which both ends of an interval, and the estimate beside it, are said."""
    if rule.statistic.is_ratio:
        return unit.apart(low, high, RATIO_DECIMALS)
    factor = factor_of(rule.metric)
    return unit.apart(factor * low, factor * high, _decimals(rule, unit))


def _decimals(rule: Rule, unit: ScoreUnit) -> int:
    """Return with how many decimals a board usually reads a metric."""
    if rule.metric.definition.unit is Unit.POINTS:
        return unit.rounded_decimals
    return decimals_of(rule.metric, unit)


def _side(rule: Rule, value: float) -> str:
    more, less = ("higher", "lower") if rule.metric is Metric.SIGNED_ERROR else ("more", "less")
    return more if value >= 0 else less


def _side_unless_none(rule: Rule, unit: ScoreUnit, value: float) -> str:
    """Say on which side a difference is; of none, as it is said, there is no side."""
    rounded = round(factor_of(rule.metric) * value, _decimals(rule, unit) + unit.more)
    return "" if rounded == 0 else f" {_side(rule, value)}"


def _amount(rule: Rule, unit: ScoreUnit, value: float) -> str:
    """Return a number of a rule with its unit; where groups are compared, without its sign."""
    size = abs(value) if rule.statistic in COMPARED else value
    counted = rule.metric.definition.unit
    if counted is Unit.POINTS and not rule.statistic.is_ratio:
        return f"{'-' * (size < 0)}{unit.rounded(size)}"
    if counted is Unit.SHARE and rule.statistic in COMPARED:
        return f"{_size(rule, unit, size)} in 100"
    return quantity(rule, unit, size)


def _between(rule: Rule, unit: ScoreUnit, low: float, high: float) -> str:
    """Return an interval; of a comparison with both ends on one side, or one on each."""
    if rule.statistic not in COMPARED:
        return f"between {_amount(rule, unit, low)} and {_amount(rule, unit, high)}"
    near, far = sorted((low, high), key=abs)
    if low < 0 <= high:
        near, far = low, high
    first = f" {_side(rule, low)}" if low < 0 <= high else ""
    return (
        f"between {_size(rule, unit, near)}{first} and {_size(rule, unit, far)} {_side(rule, far)}"
    )


def _size(rule: Rule, unit: ScoreUnit, value: float) -> str:
    """Return the size of a difference without its unit, which the estimate beside it has."""
    if rule.metric.definition.unit in {Unit.POINTS, Unit.SHARE}:
        return fixed(factor_of(rule.metric) * abs(value), _decimals(rule, unit) + unit.more)
    # Without a unit of its own: as many decimals as the estimate beside it.
    return quantity(rule, unit, abs(value))
