"""Where a random share of the lost is traced, bets make on average what all outcomes had made."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.judging.policy import load_policy
from audits.measure.groups import EVERYONE
from audits.sequential.betting import growth
from audits.sequential.hypotheses import Hypothesis, hypotheses
from audits.sequential.payoffs import is_compared
from audits.sequential.traced import (
    Expected,
    payoffs_of,
    week_of_traced,
    with_tracing,
    without_tracing,
)
from contracts import predictions as columns
from contracts.predictions import OutcomeStatus

POLICY = load_policy()
TESTED = hypotheses(POLICY, {"sex": ("female", "male")}, ("gain",), 14.875)
SERVED = with_tracing(POLICY, TESTED)
CHANCES = st.sampled_from([0.1, 0.3, 0.5, 1.0])
NUMBERS = st.floats(-40, 40)


def rule_of(each: Hypothesis) -> object:
    return next(rule for rule in POLICY.rules if rule.name == each.rule)


@st.composite
def weeks(draw: st.DrawFn, most: int = 7) -> tuple[Hypothesis, dict[str, object]]:
    """Some people, whom some of are lost, and what is expected of them."""
    each = draw(st.sampled_from(SERVED))
    count = draw(st.integers(2, most))
    label_N = np.array(draw(st.lists(st.sampled_from(["female", "male"]), min_size=count,
                                     max_size=count)), dtype=object)  # fmt: skip
    number_N = np.array(draw(st.lists(NUMBERS, min_size=count, max_size=count)))
    lost_N = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    rule = next(rule for rule in POLICY.rules if rule.name == each.rule)
    before = {
        axis: {label: (draw(NUMBERS) * n, n) for label in labels if (n := draw(st.integers(0, 9)))}
        for axis, labels in {"sex": ["female", "male"], EVERYONE: [EVERYONE]}.items()
    }
    return each, {
        "people": {columns.GROUP + "sex": label_N}, "number_N": number_N, "lost_N": lost_N,
        "expected": Expected.of(each, rule, before), "chance": draw(CHANCES),
    }  # fmt: skip


def paid(
    each: Hypothesis, week: dict[str, object], found_N: np.ndarray
) -> tuple[np.ndarray, float]:
    return payoffs_of(each, found_N=found_N, compared=is_compared(each, POLICY), **week)  # type: ignore[arg-type]


@given(weeks())
def test_the_mean_over_all_draws_of_what_a_bet_makes_is_what_all_outcomes_had_made(
    drawn: tuple[Hypothesis, dict[str, object]],
) -> None:
    each, week = drawn
    lost_N, chance = np.asarray(week["lost_N"]), float(str(week["chance"]))
    nobody_N = np.zeros(len(lost_N), dtype=np.bool_)
    whole, bound = paid(each, {**week, "lost_N": nobody_N}, nobody_N)
    made = np.zeros_like(growth(whole, bound))
    for draws in product([False, True], repeat=int(lost_N.sum())):
        found_N = nobody_N.copy()
        found_N[lost_N] = draws
        payoff_P, of_draw = paid(each, week, found_N)
        # The same for every draw, and for who is seen.
        assert of_draw == bound
        likely = chance ** sum(draws) * (1 - chance) ** (len(draws) - sum(draws))
        if likely:
            made += likely * np.exp(growth(payoff_P, bound))
    assert made == pytest.approx(np.exp(growth(whole, bound)), rel=1e-9)


@given(weeks(most=12), st.data())
def test_no_payoff_is_below_the_bound_which_is_wider_by_no_more_than_two_of_the_chance_less_one(
    drawn: tuple[Hypothesis, dict[str, object]], data: st.DataObject
) -> None:
    each, week = drawn
    lost_N = np.asarray(week["lost_N"])
    found_N = lost_N & np.array(
        data.draw(st.lists(st.booleans(), min_size=len(lost_N), max_size=len(lost_N)))
    )
    payoff_P, bound = paid(each, week, found_N)
    assert (payoff_P >= -bound * (1 + 1e-12)).all()
    assert np.isfinite(growth(payoff_P, bound)).all()
    expected, chance = week["expected"], float(str(week["chance"]))
    assert isinstance(expected, Expected)
    middle, half = (expected.low + expected.high) / 2, (expected.high - expected.low) / 2
    sides = 2 if is_compared(each, POLICY) else 1
    at_the_middle = 0.0 if sides == 2 else middle
    widest = sides * half * (2 / chance - 1) + each.sign * (each.limit - at_the_middle)
    assert 0 < bound <= widest * (1 + 1e-12)


def tables(
    status_N: list[OutcomeStatus], error_N: list[float], chance_N: list[float], drawn_N: list[bool]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a week's tables: people of alternating sex, with errors of those who have a score."""
    count = len(status_N)
    follow_up = pd.DataFrame(
        {
            columns.SUBJECT: np.arange(count), columns.ORIGIN: 0, columns.HORIZON: 84,
            columns.STATUS: status_N, columns.TRACING_CHANCE: chance_N, columns.DRAWN: drawn_N,
            columns.GROUP + "sex": ["female", "male"] * (count // 2),
        }
    )  # fmt: skip
    came = np.isin(status_N, [OutcomeStatus.OBSERVED, OutcomeStatus.TRACED])
    own = follow_up[came].assign(
        **{columns.MODEL: columns.CANDIDATE, columns.TRUTH: 30.0},
        **{name: 30.0 + np.array(error_N)[came] for name in columns.QUANTILE_COLUMNS},
    )
    others = [
        own.assign(**{columns.MODEL: name, **dict.fromkeys(columns.QUANTILE_COLUMNS, 40.0)})
        for name in ("last observation", "proportional recovery")
    ]
    return pd.concat([own, *others], ignore_index=True), follow_up


def test_a_week_counts_who_was_drawn_and_found_and_expects_of_the_next_what_was_found() -> None:
    seen, lost, found = OutcomeStatus.OBSERVED, OutcomeStatus.LOST, OutcomeStatus.TRACED
    nan = np.nan
    status = [seen, seen, found, lost, lost, found]
    chance, drawn = [nan, nan, 0.5, 0.5, 0.5, 0.5], [False, False, True, True, False, False]
    error = [0.0, 0.0, 12.0, 0.0, 0.0, 9.0]
    week = week_of_traced(*tables(status, error, chance, drawn), POLICY, SERVED, 0.5, {})
    assert (week.due, week.lost, week.drawn, week.found, week.observed) == (6, 4, 2, 1, 3)
    # Who was not drawn and came late is not used: only those who are slow and well would be.
    by_sex = week.traced["no group promised too much or too little"]["sex"]
    assert {label: tuple(of) for label, of in by_sex.items()} == {"female": (12.0, 1)}
    other = week_of_traced(
        *tables(status, [*error[:5], -30.0], chance, drawn), POLICY, SERVED, 0.5, {}
    )
    assert other.growth == week.growth
    again = week_of_traced(*tables(status, error, chance, drawn), POLICY, SERVED, 0.5, week.traced)
    assert again.growth != week.growth
    assert again.traced["no group promised too much or too little"]["sex"]["female"] == (24.0, 2)


def test_rules_on_those_who_reach_a_milestone_are_not_tested_and_named() -> None:
    served = {each.rule for each in SERVED}
    assert served
    assert {rule for rule in without_tracing(POLICY, TESTED)} == {
        rule.name for rule in POLICY.rules if rule.metric.of_milestone and rule.name in
        {each.rule for each in TESTED}
    }  # fmt: skip
    assert not served & set(without_tracing(POLICY, TESTED))
    assert not any(each.warns_only for each in SERVED)
