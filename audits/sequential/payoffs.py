"""What the people of one closed week pay to each bet.

A group is compared with everyone else in piles: as many as the smaller side has people, into which
both are dealt in the order of their numbers, which no outcome can follow. The difference of two
piles' means has the mean of the difference between the sides.

Letters: N people of the week, P piles, K bets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.judging.policy import Policy, Rule
from audits.measure.disparity import Statistic
from audits.measure.groups import EVERYONE
from audits.measure.losses import LOST
from audits.measure.metrics import Measure, addends
from audits.sequential.betting import growth
from audits.sequential.hypotheses import LOSSES, Hypothesis
from contracts.predictions import CANDIDATE, GROUP, MODEL, STATUS, SUBJECT, OutcomeStatus

Array = NDArray[np.float64]

People = Mapping[str, NDArray[Any]]
"""People in the order of their numbers: `SUBJECT`, and each group column as text, (N,) each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekOfOutcomes:
    """What one week adds.

    Parameters
    ----------
    growth
        What was added to the logarithm of each bet's wealth, (K,), by the hypothesis's name; none
        where nobody paid.
    payoffs
        How many payoffs each hypothesis had.
    due, observed
        People whose outcome was due, and of whom it came.
    due_of
        People due by attribute and label.
    """

    growth: dict[str, list[float]]
    payoffs: dict[str, int]
    due: int
    observed: int
    due_of: dict[str, dict[str, int]]


def week_of_outcomes(
    predictions: pd.DataFrame,
    follow_up: pd.DataFrame,
    policy: Policy,
    followed: Sequence[Hypothesis],
) -> WeekOfOutcomes:
    """Return what a week's people add to every hypothesis.

    Parameters
    ----------
    predictions, follow_up
        The week's monitoring tables (`contracts.predictions`), one forecast a person.
    """
    week = read_week(predictions, follow_up, policy)
    status_N = week.status_N
    grown: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for each in followed:
        payoff_P = payoffs(each, *week.numbers_of(each), is_compared=is_compared(each, policy))
        if len(payoff_P):
            grown[each.name] = growth(payoff_P, each.bound).tolist()
            counts[each.name] = len(payoff_P)
    is_observed_N = np.isin(status_N, [OutcomeStatus.OBSERVED, OutcomeStatus.TRACED])
    return WeekOfOutcomes(
        growth=grown, payoffs=counts, due=len(status_N), observed=int(is_observed_N.sum()),
        due_of=due_of(week.people),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """A week's people, in the order of their numbers.

    Parameters
    ----------
    order_N
        Places of the follow-up table's rows in that order.
    people, status_N
        Whose outcome was due, and what became of it.
    numbers_of
        Who counts for a hypothesis's rule, and the number of each.
    """

    order_N: NDArray[np.intp]
    people: People
    status_N: NDArray[np.object_]
    numbers_of: Callable[[Hypothesis], tuple[People, Array]]


def read_week(predictions: pd.DataFrame, follow_up: pd.DataFrame, policy: Policy) -> Week:
    """Read a week's tables; the numbers of a rule are computed once, when they are asked for."""
    due = _people(follow_up)
    status_N = follow_up[STATUS].to_numpy(dtype=object)[due.order_N]
    # Groups are those of the people due: of few people, text is most of what a week takes.
    numbers = predictions[[name for name in predictions if not str(name).startswith(GROUP)]]
    rows_of = cache(lambda model: _rows_of(numbers, model, due.people))
    rules = {rule.name: rule for rule in policy.rules}

    @cache
    def numbers_of(rule: str, milestone: str | None) -> tuple[People, Array]:
        if rule == LOSSES:
            return _losses(due.people, status_N)
        return _values(rows_of, rules[rule], milestone, policy)

    return Week(
        order_N=due.order_N, people=due.people, status_N=status_N,
        numbers_of=lambda each: numbers_of(each.rule, each.milestone),
    )  # fmt: skip


def payoffs(hypothesis: Hypothesis, people: People, value_N: Array, *, is_compared: bool) -> Array:
    """Return what people pay to bets against a hypothesis, (P,).

    Parameters
    ----------
    people
        Who they are, with their groups.
    value_N
        The number that the rule is about, of each.
    is_compared
        Whether it is the difference between the group and everyone else.
    """
    in_group_N = (
        np.ones(len(value_N), dtype=np.bool_)
        if hypothesis.axis == EVERYONE
        else people[GROUP + hypothesis.axis] == hypothesis.group
    )
    number_P = (
        differences(value_N[in_group_N], value_N[~in_group_N])
        if is_compared
        else value_N[in_group_N]
    )
    payoff_P = hypothesis.sign * (number_P - hypothesis.limit)
    if hypothesis.is_clipped:
        payoff_P = np.clip(payoff_P, -hypothesis.bound, hypothesis.bound)
    return payoff_P


def differences(group_N: Array, rest_N: Array) -> Array:
    """Return the differences of piles, (P,); none where a side has nobody."""
    piles = min(len(group_N), len(rest_N))
    if not piles:
        return np.zeros(0)
    return _pile_means(group_N, piles) - _pile_means(rest_N, piles)


def _pile_means(value_N: Array, piles: int) -> Array:
    pile_N = np.arange(len(value_N)) % piles
    return np.bincount(pile_N, value_N, piles) / np.bincount(pile_N, minlength=piles)


def is_compared(hypothesis: Hypothesis, policy: Policy) -> bool:
    """Return whether a hypothesis is about the difference between a group and everyone else."""
    rules = (rule for rule in policy.rules if rule.name == hypothesis.rule)
    rule = next(rules, None)
    return rule is None or rule.statistic is Statistic.DIFFERENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class _InOrder:
    """The order of rows by people's numbers, and who they are."""

    order_N: NDArray[np.intp]
    people: People


def _people(rows: pd.DataFrame) -> _InOrder:
    order_N = rows[SUBJECT].to_numpy().argsort(kind="stable")
    return _InOrder(
        order_N=order_N,
        people={
            name: np.asarray(rows[name], dtype=object if name != SUBJECT else None)[order_N]
            for name in map(str, rows.columns)
            if name == SUBJECT or name.startswith(GROUP)
        },
    )


def _rows_of(numbers: pd.DataFrame, model: str, due: People) -> tuple[pd.DataFrame, People]:
    """Return a model's rows in the order of people's numbers, and who they are."""
    row_N = np.flatnonzero(numbers[MODEL] == model)
    subject_N = numbers[SUBJECT].to_numpy()[row_N]
    order_N = subject_N.argsort(kind="stable")
    place_N = np.searchsorted(due[SUBJECT], subject_N[order_N])
    return numbers.take(row_N[order_N]), _some(due, place_N)


def _some(people: People, which: NDArray[Any]) -> People:
    return {name: of_N[which] for name, of_N in people.items()}


_RowsOf = Callable[[str], tuple[pd.DataFrame, People]]
"""A model's rows of the week."""


def _values(
    rows_of: _RowsOf, rule: Rule, milestone: str | None, policy: Policy
) -> tuple[People, Array]:
    """Return who counts for a rule, and the number of each person."""
    people, number_N = _numbers(*rows_of(CANDIDATE), rule, milestone, policy)
    if rule.statistic is not Statistic.AGAINST_COMPARATOR:
        return people, number_N
    others, other_N = _numbers(*rows_of(str(rule.comparator)), rule, milestone, policy)
    _, own, beside = np.intersect1d(people[SUBJECT], others[SUBJECT], return_indices=True)
    return _some(people, own), number_N[own] - other_N[beside]


def _numbers(
    rows: pd.DataFrame, people: People, rule: Rule, milestone: str | None, policy: Policy
) -> tuple[People, Array]:
    measure = Measure(metric=rule.metric, milestone=milestone)
    numerator_N, denominator_N = addends(rows, measure, policy.thresholds).T
    counted_N = denominator_N > 0
    return _some(people, counted_N), numerator_N[counted_N] / denominator_N[counted_N]


def _losses(due: People, status_N: NDArray[Any]) -> tuple[People, Array]:
    alive_N = status_N != OutcomeStatus.DIED
    return _some(due, alive_N), np.isin(status_N, [*LOST]).astype(np.float64)[alive_N]


def due_of(due: People) -> dict[str, dict[str, int]]:
    """Return how many people are of each group, by attribute and label."""
    return {
        name.removeprefix(GROUP): dict(Counter(label_N.tolist()))
        for name, label_N in due.items()
        if name.startswith(GROUP)
    }
