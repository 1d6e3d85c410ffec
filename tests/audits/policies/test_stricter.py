"""What a stricter policy would have said: of the same forecasts, beside a verdict that stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from audits.judging import gather
from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy, load_policy
from audits.policies.compare import Kind, changes
from audits.policies.power import worst_that_passes
from audits.policies.stricter import STRICT, StricterLimit, stricter_limits
from contracts.verdict import Outcome, Verdict

TableOf = Callable[..., pd.DataFrame]
ERROR = "no group forecast less accurately"
PROMISED = "no group promised too much or too little"
COVERAGE = "honest intervals in every group"


def test_the_stricter_policy_is_stricter_wherever_it_differs() -> None:
    """And it is kept beside the shipped one: whatever else changes there must change here."""
    differs = changes(load_policy(), load_policy(STRICT))
    assert {change.kind for change in differs} == {Kind.STRICTER}
    binding = {rule.name for rule in load_policy().rules if rule.binding}
    assert len({change.requirement for change in differs} & binding) == 5
    assert all(change.what.startswith("limit") for change in differs)


@pytest.mark.parametrize("rule", [ERROR, COVERAGE, "no group's recovery overlooked"])
def test_it_asks_nothing_that_five_hundred_people_cannot_show(rule: str) -> None:
    policy = load_policy(STRICT)
    (asked,) = (each for each in policy.rules if each.name == rule)
    worst = worst_that_passes(asked, policy, 500)
    assert worst is not None
    # Room for a group that is as well served as the others.
    assert worst <= 0.8 if rule == COVERAGE else worst > 0


@pytest.fixture(scope="module")
def table(table_of: TableOf) -> pd.DataFrame:
    """Women are promised three points too much, and a group of seven that nobody is shown."""
    made = table_of(
        240, groups={"sex": ("female", "male"), "arm": ("left", "right")},
        extra_error={("sex", "female"): 3.0},
    )  # fmt: skip
    return made.assign(**{"group:arm": made["group:arm"].mask(made["subject_id"] < 7, "both")})


@pytest.fixture(scope="module")
def verdict(table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs) -> Verdict:
    return judge(table, quick_policy, inputs)


@pytest.fixture(scope="module")
def found(table: pd.DataFrame, quick_policy: Policy, verdict: Verdict) -> dict[str, StricterLimit]:
    arm_is_hidden = [
        f.model_copy(update={"value": None}) if f.axis == "arm" else f for f in verdict.findings
    ]
    published = verdict.model_copy(update={"findings": tuple(arm_is_hidden)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "bootstrap", _no_bootstrap)
        limits = stricter_limits(table, quick_policy, published, None)
    return {limit.rule: limit for limit in limits}


def _no_bootstrap(*_: object, **__: object) -> Any:
    raise AssertionError("nothing is drawn again")


def of(limit: StricterLimit, axis: str) -> dict[str, Outcome]:
    return {f.group: f.outcome for f in limit.findings if f.axis == axis}


def test_what_the_board_lets_pass_may_fail_the_tighter_limit(
    found: dict[str, StricterLimit], verdict: Verdict
) -> None:
    by_the_board = {
        f.group: f.outcome for f in verdict.findings if (f.rule, f.axis) == (PROMISED, "sex")
    }
    assert by_the_board["female"] in {Outcome.PASS, Outcome.INSUFFICIENT}
    assert of(found[PROMISED], "sex")["female"] in {Outcome.REVIEW, Outcome.BLOCKED}
    assert (found[PROMISED].limit, found[PROMISED].stricter) == (4.25, 2.125)


def test_it_says_what_an_audit_by_those_limits_says(
    found: dict[str, StricterLimit], table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs
) -> None:
    stricter = {name: limit.stricter for name, limit in found.items()}
    rules = tuple(
        rule.model_copy(update={"limit": stricter.get(rule.name, rule.limit)})
        for rule in quick_policy.rules
    )
    findings = judge(table, quick_policy.model_copy(update={"rules": rules}), inputs).findings
    for name in (ERROR, PROMISED, COVERAGE):
        said = {f.group: f.outcome for f in findings if (f.rule, f.axis) == (name, "sex")}
        assert of(found[name], "sex") == said


def test_groups_without_a_shown_number_are_not_listed(found: dict[str, StricterLimit]) -> None:
    assert found
    assert all(of(limit, "arm") == {} for limit in found.values())


def test_a_board_that_is_as_strict_is_told_nothing(
    table: pd.DataFrame, verdict_of: Callable[..., Any]
) -> None:
    assert stricter_limits(table, load_policy(STRICT), verdict_of(), None) == ()


def test_limits_are_carried_over_to_another_instrument(
    table: pd.DataFrame, verdict_of: Callable[..., Any]
) -> None:
    policy = load_policy().carried_over("REHABCAST//GAIT_SPEED", 0.12)
    limits = {each.rule: each for each in stricter_limits(table, policy, verdict_of(), None)}
    assert limits[ERROR].stricter == pytest.approx(0.06)
    assert limits[COVERAGE].stricter == 0.72
