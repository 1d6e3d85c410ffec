"""What people of a week pay, where tests stand, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.judging.policy import load_policy
from audits.sequential.hypotheses import LOSSES, Hypothesis, hypotheses, not_followed
from audits.sequential.payoffs import differences, payoffs, week_of_outcomes
from audits.sequential.plan import load_plan
from audits.sequential.state import Act, decide, standings
from contracts.errors import ContractError
from contracts.predictions import CANDIDATE, GROUP, MODEL, SUBJECT

POLICY, PLAN = load_policy(), load_plan()
GROUPS = {"sex": ("female", "male")}
TESTED = hypotheses(POLICY, GROUPS, ("important gain",), 14.875)


def test_every_binding_rule_is_tested_or_named() -> None:
    tested = {each.rule for each in TESTED} - {LOSSES}
    binding = {rule.name for rule in POLICY.rules if rule.binding}
    assert tested | {*not_followed(POLICY)} == binding
    assert {*not_followed(POLICY)} == {
        "no group worse off than with the champion",
        "honest intervals on every course",
    }
    # Each group on each side; a signed error has two.
    signed = [e for e in TESTED if e.rule == "no group promised too much or too little"]
    assert [(e.group, e.sign, e.limit) for e in signed] == [
        ("female", 1, 4.25),
        ("female", -1, -4.25),
        ("male", 1, 4.25),
        ("male", -1, -4.25),
    ]
    assert len({each.name for each in TESTED}) == len(TESTED)


@pytest.mark.parametrize(
    ("rule", "bound"),
    [
        ("honest intervals", 0.28),
        ("honest intervals in every group", 0.35),
        ("no group's recovery overlooked", 1.25),
        ("no group forecast less accurately", 14.875),
        (LOSSES, 1.15),
    ],
)
def test_bounds_are_those_of_the_worst_payoff(rule: str, bound: float) -> None:
    assert next(e for e in TESTED if e.rule == rule).bound == pytest.approx(bound)


@settings(max_examples=50)
@given(
    st.sampled_from(TESTED),
    st.lists(st.floats(0, 1), min_size=2, max_size=12),
    st.integers(1, 11),
    st.booleans(),
)
def test_no_payoff_is_below_its_bound(
    each: Hypothesis, values: list[float], of_group: int, is_compared: bool
) -> None:
    if each.is_clipped:
        values = [1000 * (value - 0.5) for value in values]
    # Shares of single people, and a difference from a comparator, are differences of shares.
    is_compared = is_compared or each.bound > 1
    labels = ["female" if n < of_group else "male" for n in range(len(values))]
    people = {GROUP + "sex": np.array(labels, dtype=object)}
    payoff_P = payoffs(each, people, np.array(values), is_compared=is_compared and each.bound > 1)
    assert (payoff_P >= -each.bound - 1e-9).all()


def test_piles_hold_everybody_once() -> None:
    assert differences(np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0, 5.0])).tolist() == [-1, -1.5]
    assert differences(np.array([]), np.array([1.0])).tolist() == []
    rng = np.random.default_rng(3)
    drawn = [differences(rng.normal(1, 1, 3), rng.normal(0, 1, 17)).mean() for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(1.0, abs=0.05)


def week(
    table_of: Callable[..., pd.DataFrame], follow_up_of: Callable[..., pd.DataFrame], seed: int,
    extra: dict[tuple[str, str], float], people: int = 30,
) -> Any:  # fmt: skip
    table = table_of(people, seed=seed, horizons=(84,), extra_error=extra)
    return asdict(week_of_outcomes(table, follow_up_of(table), POLICY, TESTED))


def test_a_week_is_the_same_whatever_the_order_of_rows(
    table_of: Callable[..., pd.DataFrame], follow_up_of: Callable[..., pd.DataFrame]
) -> None:
    table = table_of(30, seed=4, horizons=(84,))
    shuffled = table.sample(frac=1, random_state=1, ignore_index=True)
    one = week_of_outcomes(table, follow_up_of(table), POLICY, TESTED)
    assert one == week_of_outcomes(shuffled, follow_up_of(shuffled), POLICY, TESTED)
    assert one.due == one.observed == table[table[MODEL] == CANDIDATE][SUBJECT].nunique()


def test_harm_to_a_group_restricts_it_and_fair_weeks_do_nothing(
    table_of: Callable[..., pd.DataFrame], follow_up_of: Callable[..., pd.DataFrame]
) -> None:
    def stand(extra: dict[tuple[str, str], float], out: frozenset[tuple[str, str]]) -> Any:
        weeks = [(9 + n, week(table_of, follow_up_of, n, extra)) for n in range(8)]
        return standings(7, weeks, TESTED, PLAN, out)

    fair = stand({}, frozenset())
    assert fair.weeks == 10
    assert decide(fair, PLAN, frozenset(), may_restrict=True).act is Act.NONE
    harm = {("sex", "male"): 12.0}
    harmed = stand(harm, frozenset())
    decision = decide(harmed, PLAN, frozenset(), may_restrict=False)
    assert decision.act is Act.SUSPEND
    named = {(t.hypothesis.rule, t.hypothesis.group, t.hypothesis.sign) for t in decision.because}
    assert ("no group promised too much or too little", "male", 1) in named
    # Half of the people are men, and the women's number is the same difference: nobody is left.
    assert decide(harmed, PLAN, frozenset(), may_restrict=True).act is Act.SUSPEND


def test_a_small_group_is_restricted_and_its_tests_leave_the_mean() -> None:
    groups = {"band": ("few", "many")}
    tested = hypotheses(POLICY, groups, (), 14.875)
    few = next(
        e for e in tested if e.rule == "honest intervals in every group" and e.group == "few"
    )
    weeks = [
        (
            n,
            {
                "growth": {few.name: [1.0] * 12}, "payoffs": {few.name: 4}, "due": 20,
                "observed": 20, "due_of": {"band": {"few": 2, "many": 18}},
            },
        )
        for n in range(10)
    ]  # fmt: skip
    stand = standings(0, weeks, tested, PLAN)
    decision = decide(stand, PLAN, frozenset(), may_restrict=True)
    assert decision.act is Act.RESTRICT
    assert decision.restricted == (("band", "few", ("honest intervals in every group",)),)
    out = frozenset({("band", "few")})
    after = standings(0, weeks, tested, PLAN, out)
    assert after.largest_mean < 1 < stand.largest_mean
    assert decide(after, PLAN, out, may_restrict=True).act is Act.NONE


def test_a_rule_on_everyone_suspends_and_losses_only_warn() -> None:
    def stand(rule: str) -> Any:
        each = next(e for e in TESTED if e.rule == rule)
        sums = {
            "growth": {each.name: [9.0] * 12}, "payoffs": {each.name: 9}, "due": 20, "observed": 9,
            "due_of": {"sex": {"female": 10, "male": 10}},
        }  # fmt: skip
        return standings(0, [(0, sums)], TESTED, PLAN)

    assert (
        decide(stand("honest intervals"), PLAN, frozenset(), may_restrict=True).act is Act.SUSPEND
    )
    lost = decide(stand(LOSSES), PLAN, frozenset(), may_restrict=True)
    assert (lost.act, lost.because[0].hypothesis.axis) == (Act.WARN, "sex")


def test_a_plan_that_makes_no_sense_is_refused_in_words(tmp_path: Any) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        'version = "2"\nalpha = 0.05\nwarn_alpha = 0.01\nrange = 3.5\ngrace_days = 28\n'
        "restart_weeks = 13\nrestarts = 20\nfirst_weight = 0.3\nminimum_share = 0.5\n"
        'rationale = "long enough to be a reason"\n'
    )
    with pytest.raises(ContractError, match="a warning comes before an act"):
        load_plan(file)
