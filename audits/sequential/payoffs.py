"""What the people of one closed week pay to each bet.

A group is compared with everyone else in piles: as many as the smaller side has people, into which
both are dealt in the order of their numbers, which no outcome can follow. The difference of two
piles' means has the mean of the difference between the sides.

Letters: N people of the week, P piles, K bets.
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
from audits.measure.losses import LOST
from audits.measure.metrics import Measure, addends
from audits.sequential.betting import growth
from audits.sequential.hypotheses import LOSSES, Hypothesis
from contracts.predictions import CANDIDATE, GROUP, MODEL, STATUS, SUBJECT, OutcomeStatus

Array = NDArray[np.float64]


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
    ordered = follow_up.sort_values(SUBJECT, ignore_index=True)
    rules = {rule.name: rule for rule in policy.rules}
    values: dict[tuple[str, str | None], tuple[pd.DataFrame, Array]] = {}
    grown: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for each in followed:
        key = (each.rule, each.milestone)
        if key not in values:
            values[key] = (
                _losses(ordered)
                if each.rule == LOSSES
                else _values(predictions, rules[each.rule], each.milestone, policy)
            )
        payoff_P = payoffs(each, *values[key], is_compared=_is_compared(each, rules))
        if len(payoff_P):
            grown[each.name] = growth(payoff_P, each.bound).tolist()
            counts[each.name] = len(payoff_P)
    is_observed_N = ordered[STATUS].isin([OutcomeStatus.OBSERVED, OutcomeStatus.TRACED])
    return WeekOfOutcomes(
        growth=grown, payoffs=counts, due=len(ordered), observed=int(is_observed_N.sum()),
        due_of=_due_of(ordered),
    )  # fmt: skip


def payoffs(
    hypothesis: Hypothesis, people: pd.DataFrame, value_N: Array, *, is_compared: bool
) -> Array:
    """Return what people pay to bets against a hypothesis, (P,).

    Parameters
    ----------
    people
        Who they are, in the order of their numbers, with their groups.
    value_N
        The number that the rule is about, of each.
    is_compared
        Whether it is the difference between the group and everyone else.
    """
    in_group_N = _in_group(hypothesis, people)
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


def _is_compared(hypothesis: Hypothesis, rules: Mapping[str, Rule]) -> bool:
    rule = rules.get(hypothesis.rule)
    return rule is None or rule.statistic is Statistic.DIFFERENCE


def _in_group(hypothesis: Hypothesis, people: pd.DataFrame) -> NDArray[np.bool_]:
    if hypothesis.axis == EVERYONE:
        return np.ones(len(people), dtype=np.bool_)
    return (people[GROUP + hypothesis.axis].astype(str) == hypothesis.group).to_numpy()


def _values(
    predictions: pd.DataFrame, rule: Rule, milestone: str | None, policy: Policy
) -> tuple[pd.DataFrame, Array]:
    """Return who counts for a rule, and the number of each person."""
    own = _numbers(predictions, CANDIDATE, rule, milestone, policy)
    if rule.statistic is Statistic.AGAINST_COMPARATOR:
        other = _numbers(predictions, str(rule.comparator), rule, milestone, policy)
        both = own.merge(other[[SUBJECT, _NUMBER]], on=SUBJECT, suffixes=("", " of the comparator"))
        number_N = both[_NUMBER] - both[f"{_NUMBER} of the comparator"]
        return both, number_N.to_numpy(dtype=np.float64)
    return own, own[_NUMBER].to_numpy(dtype=np.float64)


_NUMBER = "number"


def _numbers(
    predictions: pd.DataFrame, model: str, rule: Rule, milestone: str | None, policy: Policy
) -> pd.DataFrame:
    rows = predictions[predictions[MODEL] == model].sort_values(SUBJECT, ignore_index=True)
    measure = Measure(metric=rule.metric, milestone=milestone)
    numerator_N, denominator_N = addends(rows, measure, policy.thresholds).T
    counted_N = denominator_N > 0
    number_N = numerator_N[counted_N] / denominator_N[counted_N]
    kept: pd.DataFrame = rows[counted_N].reset_index(drop=True)
    return kept.assign(**{_NUMBER: number_N})


def _losses(follow_up: pd.DataFrame) -> tuple[pd.DataFrame, Array]:
    alive = follow_up[follow_up[STATUS] != OutcomeStatus.DIED].reset_index(drop=True)
    return alive, np.asarray(alive[STATUS].isin(LOST), dtype=np.float64)


def _due_of(follow_up: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {
        str(name).removeprefix(GROUP): {
            str(label): int(count)
            for label, count in follow_up[name].astype(str).value_counts().items()
        }
        for name in follow_up.columns
        if str(name).startswith(GROUP)
    }
