"""What is tested of a version in service: each binding rule, each group in scope, each side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from audits.judging.policy import Policy, Rule
from audits.measure.disparity import Direction, Scope, Statistic
from audits.measure.groups import EVERYONE
from audits.measure.metric_definitions import Unit
from audits.measure.metrics import ends_of
from audits.measure.people import has_person_means
from contracts.predictions import CHAMPION
from contracts.vocabulary import NOT_RECORDED

LOSSES = "outcomes lost"
"""Name of what is tested of the policy's terms on losses; it warns, and holds nobody back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """That a rule is kept, on one side, for one group; what is bet against.

    Parameters
    ----------
    rule
        Name of the rule.
    axis, group
        Of whom; `EVERYONE` twice for a rule on everyone.
    sign
        1 where the number may be at most the limit, -1 where it may be at least that.
    limit
        In the unit of the metric; of a rule that stays within a limit, its own end.
    milestone
        Which one, of a metric of milestones.
    bound
        No payoff is below minus this.
    is_clipped
        Whether payoffs are clipped at the bound: they are in score points.
    warns_only
        Whether it can restrict or suspend.
    """

    rule: str
    axis: str
    group: str
    sign: int
    limit: float
    bound: float
    is_clipped: bool
    milestone: str | None = None
    warns_only: bool = False

    @property
    def name(self) -> str:
        """Its one name, by which its sums are kept."""
        side = "at most" if self.sign > 0 else "at least"
        said = [self.rule, self.milestone or "", self.axis, self.group, side]
        return " | ".join(said)

    @property
    def side(self) -> str:
        """On which side of its limit the rule is broken, in words."""
        return "too high" if self.sign > 0 else "too low"


def hypotheses(
    policy: Policy,
    groups: Mapping[str, Sequence[str]],
    milestones: Sequence[str],
    points: float,
) -> tuple[Hypothesis, ...]:
    """Return what is tested; all of it is fixed before the first outcome counts.

    Parameters
    ----------
    groups
        The labels of those who are served, by attribute.
    points
        How far beyond the limit a difference in score points counts.
    """
    return (*_of_rules(policy, groups, milestones, points), *_of_losses(policy, groups))


def is_followed(rule: Rule) -> bool:
    """Return whether a binding rule can be tested on what is on record in service."""
    return (
        rule.binding
        and not rule.each_horizon
        and rule.scope in {Scope.OVERALL, Scope.AXES}
        and rule.comparator != CHAMPION
        and has_person_means(rule.metric)
        and (rule.metric.definition.unit is Unit.POINTS or ends_of(rule.metric) is not None)
        and rule.statistic in {Statistic.VALUE, Statistic.DIFFERENCE, Statistic.AGAINST_COMPARATOR}
    )


def not_followed(policy: Policy) -> tuple[str, ...]:
    """Return the names of the binding rules that are not tested in service."""
    return tuple(rule.name for rule in policy.rules if rule.binding and not is_followed(rule))


def _of_rules(
    policy: Policy, groups: Mapping[str, Sequence[str]], milestones: Sequence[str], points: float
) -> Iterator[Hypothesis]:
    for rule in filter(is_followed, policy.rules):
        everyone = rule.scope is Scope.OVERALL
        for axis, labels in {EVERYONE: [EVERYONE]}.items() if everyone else groups.items():
            if axis in (rule.axes or (axis,)) and [*labels] != [NOT_RECORDED]:
                for label in labels:
                    yield from sides_of(rule, axis, label, milestones, points)


def sides_of(
    rule: Rule, axis: str, label: str, milestones: Sequence[str], points: float
) -> Iterator[Hypothesis]:
    """Yield what is tested of a rule for one group: each milestone and each side of its limit."""
    sides = {
        Direction.AT_MOST: [(1, rule.limit)],
        Direction.AT_LEAST: [(-1, rule.limit)],
        Direction.WITHIN: [(1, rule.limit), (-1, -rule.limit)],
    }[rule.direction]
    for milestone in milestones if rule.metric.of_milestone else (None,):
        for sign, limit in sides:
            yield Hypothesis(
                rule=rule.name, axis=axis, group=label, sign=sign, limit=limit, milestone=milestone,
                bound=bound_of(rule, sign, limit, points), is_clipped=ends_of(rule.metric) is None,
            )  # fmt: skip


def bound_of(rule: Rule, sign: int, limit: float, points: float) -> float:
    """Return how far below 0 a payoff can be: where the number is furthest on the good side."""
    ends = ends_of(rule.metric)
    if ends is None:
        return points
    if rule.statistic is not Statistic.VALUE:
        ends = ends[0] - ends[1], ends[1] - ends[0]
    return sign * (limit - ends[0 if sign > 0 else 1])


def _of_losses(policy: Policy, groups: Mapping[str, Sequence[str]]) -> Iterator[Hypothesis]:
    for axis, labels in groups.items():
        for label in labels if len(labels) > 1 else ():
            yield from losses_of(policy, axis, label)


def losses_of(policy: Policy, axis: str, label: str) -> Iterator[Hypothesis]:
    """Yield that a group loses no more outcomes than others, where the policy asks."""
    if policy.lost is not None:
        limit = policy.lost.maximum_difference
        yield Hypothesis(
            rule=LOSSES, axis=axis, group=label, sign=1, limit=limit, bound=1 + limit,
            is_clipped=False, warns_only=True,
        )  # fmt: skip
