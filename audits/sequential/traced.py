"""What people pay to bets where a random share of the lost is traced.

Whoever vanishes may be whom a forecast serves worst, and bets on those who are seen never learn of
it. Of those whose outcome is lost when their week closes each is drawn with a chance p, known
beforehand, and traced. With `f` the number expected of a person without the outcome and `y` the
number of who was drawn and found, everyone lost counts as

    f + drawn and found / p * (y - f),

whose mean over the draw is `y`, whatever `f` is (Horvitz and Thompson 1952; with `f`, Robins,
Rotnitzky and Zhao 1994), so that the mean over the draws of what a bet makes is exactly what it had
made of everybody's outcome: draws are independent, and no person is in two piles. Found or not, who
would not be found counts as `f`. With `y` and `f` in [low, high] the number is not below
`f + (low - f) / p`, nor above `f + (high - f) / p`: a range wider by at most 2/p - 1, by which bets
are smaller.

`f` is the mean of those of the person's group who were traced in earlier weeks, so that it and the
bound are known before the week is. The bound is the same for those who are seen and those who are
lost: a bet that is larger on those who are seen would be one on them alone.

Letters: N people of the week, P payoffs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.judging.policy import Policy, Rule
from audits.measure.disparity import Statistic
from audits.measure.groups import EVERYONE
from audits.measure.metrics import ends_of
from audits.sequential.betting import growth
from audits.sequential.hypotheses import Hypothesis
from audits.sequential.payoffs import (
    People,
    Week,
    WeekOfOutcomes,
    differences,
    due_of,
    is_compared,
    read_week,
)
from contracts.predictions import DRAWN, GROUP, SUBJECT, TRACING_CHANCE, OutcomeStatus

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

Found = Mapping[str, Mapping[str, Mapping[str, tuple[float, int]]]]
"""Sum and count of the numbers of who was traced, by rule, attribute and label; until a week."""

ASSUMED = 4
"""As many people in the middle of the range stand beside who was traced: one alone tells little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedWeek(WeekOfOutcomes):
    """What one week adds where the lost are traced.

    Parameters
    ----------
    lost, drawn, found
        People who were lost when their week closed; of them drawn, and of those found since.
    traced
        As `Found`, with this week's.
    """

    lost: int
    drawn: int
    found: int
    traced: Found


def with_tracing(policy: Policy, tested: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Return the tests that tracing serves: of rules by which everyone with an outcome counts.

    By a rule on those who reach a milestone nobody knows of a lost person whether he or she counts.
    """
    of_milestone = {rule.name for rule in policy.rules if rule.metric.of_milestone}
    return tuple(
        each for each in tested if not each.warns_only and each.rule not in of_milestone
    )  # fmt: skip


def without_tracing(policy: Policy, tested: Sequence[Hypothesis]) -> tuple[str, ...]:
    """Return the rules that are tested in service and that tracing does not serve."""
    served = with_tracing(policy, tested)
    return tuple(
        dict.fromkeys(each.rule for each in tested if not each.warns_only and each not in served)
    )


def week_of_traced(
    predictions: pd.DataFrame,
    follow_up: pd.DataFrame,
    policy: Policy,
    tested: Sequence[Hypothesis],
    chance: float,
    before: Found,
) -> TracedWeek:
    """Return what a week's people add to the tests when tracing is over.

    Parameters
    ----------
    predictions, follow_up
        The week's monitoring tables, one forecast a person: of those who were observed or lost when
        their week closed, the lost with their `TRACING_CHANCE` and whether they were `DRAWN`.
    tested
        As of `with_tracing`.
    chance
        Of each of the lost.
    before
        Who was traced in earlier weeks.
    """
    week = read_week(predictions, follow_up, policy)
    order_N = week.order_N
    lost_N = ~np.isnan(follow_up[TRACING_CHANCE].to_numpy(dtype=np.float64))[order_N]
    drawn_N = follow_up[DRAWN].to_numpy(dtype=np.bool_)[order_N]
    rules = {rule.name: rule for rule in policy.rules}
    grown: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    traced: dict[str, Mapping[str, Mapping[str, tuple[float, int]]]] = dict(before)
    for each in tested:
        number_N = _numbers(week, each)
        found_N = lost_N & drawn_N & ~np.isnan(number_N)
        expected = Expected.of(each, rules[each.rule], before.get(each.rule, {}))
        payoff_P, bound = payoffs_of(
            each, week.people, number_N, lost_N, found_N, chance, expected,
            compared=is_compared(each, policy),
        )  # fmt: skip
        if len(payoff_P):
            grown[each.name] = growth(payoff_P, bound).tolist()
            counts[each.name] = len(payoff_P)
        traced[each.rule] = _with(before.get(each.rule, {}), week.people, number_N, found_N)
    called_N = lost_N & drawn_N
    came_N = np.isin(week.status_N, [OutcomeStatus.OBSERVED, OutcomeStatus.TRACED])
    return TracedWeek(
        growth=grown, payoffs=counts, due=len(lost_N),
        observed=int((came_N & (called_N | ~lost_N)).sum()), due_of=due_of(week.people),
        lost=int(lost_N.sum()), drawn=int(called_N.sum()), found=int((called_N & came_N).sum()),
        traced=traced,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The numbers expected of people without their outcome.

    Parameters
    ----------
    low, high
        Numbers count within these.
    by_label
        Of groups of whom somebody was traced; of others, the middle of the range.
    """

    low: float
    high: float
    by_label: Mapping[str, float]

    @classmethod
    def of(
        cls, each: Hypothesis, rule: Rule, found: Mapping[str, Mapping[str, tuple[float, int]]]
    ) -> Expected:
        """Return what a test expects, by who was traced in earlier weeks."""
        low, high = range_of_number(each, rule)
        middle = (low + high) / 2
        by_label = {
            label: float(np.clip((ASSUMED * middle + total) / (ASSUMED + count), low, high))
            for label, (total, count) in found.get(each.axis, {}).items()
        }
        return cls(low=low, high=high, by_label=by_label)

    def of_label(self, label: str) -> float:
        """Return what is expected of a person of a group."""
        return self.by_label.get(label, (self.low + self.high) / 2)

    def ends(self, labels: Sequence[str], chance: float) -> tuple[float, float]:
        """Return the lowest and highest number that a person of some groups can count as."""
        some = [self.of_label(label) for label in labels]
        least, most = min(some), max(some)
        return most + (self.low - most) / chance, least + (self.high - least) / chance


def range_of_number(each: Hypothesis, rule: Rule) -> tuple[float, float]:
    """Return within which the number of one person counts.

    Score points count as far from the limit as the plan says, and where groups are compared as far
    from 0: here it is a person's number that is winsorised, and not the difference of piles.
    """
    ends = ends_of(rule.metric)
    if ends is None:
        middle = 0.0 if rule.statistic is Statistic.DIFFERENCE else each.limit
        return middle - each.bound, middle + each.bound
    if rule.statistic is Statistic.AGAINST_COMPARATOR:
        return ends[0] - ends[1], ends[1] - ends[0]
    return ends


def payoffs_of(
    each: Hypothesis,
    people: People,
    number_N: Array,
    lost_N: Flags,
    found_N: Flags,
    chance: float,
    expected: Expected,
    *,
    compared: bool,
) -> tuple[Array, float]:
    """Return what people pay to bets against a hypothesis, (P,), and minus the least they can pay.

    Parameters
    ----------
    number_N
        By the rule, of each; NaN where there is none.
    lost_N, found_N
        Who was lost when the week closed, and who of them was drawn and found.
    compared
        Whether the rule is about the difference between the group and everyone else.
    """
    everyone = each.axis == EVERYONE
    label_N = (
        np.full(len(number_N), EVERYONE, dtype=object) if everyone else people[GROUP + each.axis]
    )
    expected_N = np.array([expected.of_label(label) for label in label_N.tolist()])
    within_N = np.clip(number_N, expected.low, expected.high)
    lost_as_N = np.where(found_N, expected_N + (within_N - expected_N) / chance, expected_N)
    value_N = np.where(lost_N, lost_as_N, within_N)
    counts_N, in_group_N = ~np.isnan(value_N), label_N == each.group
    number_P = value_N[counts_N & in_group_N]
    low, high = expected.ends([each.group], chance)
    if compared:
        number_P = differences(number_P, value_N[counts_N & ~in_group_N])
        # "" for a group of which nobody was traced before.
        rest = [label for label in expected.by_label if label != each.group]
        low_rest, high_rest = expected.ends([*rest, ""], chance)
        low, high = low - high_rest, high - low_rest
    bound = each.limit - low if each.sign > 0 else high - each.limit
    return each.sign * (number_P - each.limit), bound


def _numbers(week: Week, each: Hypothesis) -> Array:
    """Return the number of each person of a week; NaN where there is none."""
    people, known_N = week.numbers_of(each)
    number_N = np.full(len(week.status_N), np.nan)
    number_N[np.searchsorted(week.people[SUBJECT], people[SUBJECT])] = known_N
    return number_N


def _with(
    before: Mapping[str, Mapping[str, tuple[float, int]]],
    people: People,
    number_N: Array,
    found_N: Flags,
) -> dict[str, dict[str, tuple[float, int]]]:
    """Return who was traced until now, with those of a week."""
    after = {axis: dict(labels) for axis, labels in before.items()}
    axes = {EVERYONE: np.full(len(number_N), EVERYONE, dtype=object)} | {
        name.removeprefix(GROUP): label_N
        for name, label_N in people.items()
        if name.startswith(GROUP)
    }
    for axis, label_N in axes.items():
        of_axis = after.setdefault(axis, {})
        for label in sorted(set(label_N[found_N].tolist())):
            own_N = number_N[found_N & (label_N == label)]
            total, count = of_axis.get(label, (0.0, 0))
            of_axis[label] = (total + float(own_N.sum()), count + len(own_N))
    return after
