"""What is asked of horizons before the primary one: which rules, with which limits, of whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.judging.policy import load_policy
from audits.sequential.early import (
    early_hypotheses,
    not_asked_early,
    plan_of_early,
    until_primary,
)
from audits.sequential.hypotheses import Hypothesis, hypotheses, not_followed
from audits.sequential.plan import PACKAGED, EarlyWarning, MonitoringPlan, load_plan
from audits.sequential.state import Act, decide, standings
from contracts.errors import ContractError
from training.task import read_task

POLICY, PLAN = load_policy(), load_plan()
GROUPS = {"sex": ("female", "male")}
POINTS = 14.875
TASKS = sorted((Path(__file__).parents[3] / "tasks").glob("*.toml"))
BEFORE = "4b4c0e3102a6fc628b333df190834ee98c550be8fe7764ae84113a79fab56a6c"
"""Digest of the shipped plan as it was before anything was asked early."""


def early(share: float = 0.8) -> tuple[Hypothesis, ...]:
    asked = EarlyWarning(limit_share=share, alpha=0.1, rationale="long enough to be a reason")
    return early_hypotheses(POLICY, GROUPS, POINTS, asked)


def test_limits_are_nearer_to_what_is_promised_and_every_rule_is_asked_or_named() -> None:
    limits = {(each.rule, each.sign): each.limit for each in early()}
    assert limits == pytest.approx(
        {
            ("no worse than the last observation", 1): 0.0,
            ("better than the published recovery rule", 1): 0.0,
            # Of 80 % promised the rules let 72 and 65 % be enough.
            ("honest intervals", -1): 0.736,
            ("honest intervals in every group", -1): 0.68,
            ("no group forecast less accurately", 1): 3.4,
            ("no group promised too much or too little", 1): 3.4,
            ("no group promised too much or too little", -1): -3.4,
        }
    )
    asked = {each.rule for each in early()}
    assert not_asked_early(POLICY) == ("no group's recovery overlooked",)
    named = {*not_asked_early(POLICY), *not_followed(POLICY)}
    assert asked | named == {rule.name for rule in POLICY.rules if rule.binding}
    assert not asked & named


@given(st.floats(0.01, 1.0))
@settings(max_examples=30)
def test_no_early_limit_is_laxer_and_payoffs_keep_their_bound(share: float) -> None:
    whole = {each.name: each for each in hypotheses(POLICY, GROUPS, (), POINTS)}
    for each in early(share):
        late = whole[each.name]
        assert each.sign * each.limit <= late.sign * late.limit + 1e-12
        worst = POINTS if each.is_clipped else max(each.limit, 1 - each.limit)
        assert 0 < each.bound <= worst
        assert (each.axis, each.group, each.is_clipped) == (late.axis, late.group, late.is_clipped)


def test_at_the_whole_limit_it_asks_what_is_asked_of_outcomes() -> None:
    asked = [each for each in hypotheses(POLICY, GROUPS, (), POINTS) if not each.warns_only]
    same = early(1.0)
    assert [each.name for each in same] == [each.name for each in asked]
    for of in ("limit", "bound"):
        assert [getattr(each, of) for each in same] == pytest.approx(
            [getattr(each, of) for each in asked]
        )


def test_whatever_early_tests_say_nothing_is_restricted_or_suspended() -> None:
    tested = early()
    sums = {
        "growth": {each.name: [50.0] * 12 for each in tested},
        "payoffs": {each.name: 99 for each in tested},
        "due": 99, "observed": 99, "due_of": {"sex": {"female": 50, "male": 49}},
    }  # fmt: skip
    assert PLAN.early is not None
    plan = plan_of_early(PLAN, PLAN.early)
    stand = standings(0, [(0, sums)], tested, plan)
    assert all(each.reaches(plan.warn_alpha) for each in stand.tests)
    assert decide(stand, plan, frozenset(), may_restrict=True).act is Act.WARN


@pytest.mark.parametrize("file", TASKS, ids=lambda file: file.stem)
def test_earlier_horizons_are_those_before_the_primary_one(file: Path) -> None:
    task = read_task(file)
    before = until_primary(task)
    weeks = [each.weeks for each in task.horizons if each.weeks < task.primary_horizon_weeks]
    if before is None:
        assert not weeks
    else:
        assert [each.weeks for each in before.horizons] == weeks
        assert before.primary_horizon_weeks == min(weeks)


def test_some_shipped_task_has_an_earlier_horizon_and_some_has_none() -> None:
    found = {until_primary(read_task(file)) is None for file in TASKS}
    assert found == {True, False}


def test_an_account_that_was_begun_before_goes_on() -> None:
    assert PLAN.terms == BEFORE
    assert PLAN.digest != BEFORE
    without = PLAN.model_copy(update={"early": None})
    assert without.digest == without.terms == BEFORE
    written = MonitoringPlan.model_validate(without.model_dump(mode="json"))
    assert (written, "early" in without.model_dump()) == (without, False)


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("limit_share = 0.8", "limit_share = 1.5", "early, limit_share"),
        ("limit_share = 0.8", "limit_share = 0", "early, limit_share"),
        ("limit_share = 0.8\nalpha = 0.1", "limit_share = 0.8\nalpha = 0.9", "early, alpha"),
        ("limit_share = 0.8\n", "", "early, limit_share"),
        ("[early]\n", "[early]\nsuspends = true\n", "early, suspends"),
    ],
)
def test_an_early_warning_that_makes_no_sense_is_refused_in_words(
    written: str, instead: str, said: str, tmp_path: Path
) -> None:
    shipped = PACKAGED.read_text("utf-8")
    assert written in shipped
    file = tmp_path / "plan.toml"
    file.write_text(shipped.replace(written, instead), "utf-8")
    with pytest.raises(ContractError, match=said):
        load_plan(file)
