"""Coverage by pattern of the course: asked of each, compared with none, hidden where people are few."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from audits.disclosure.cells import Cell
from audits.disclosure.published import pattern_of
from audits.disclosure.quantities import Quantity
from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy, Rule
from audits.judging.scope import in_doubt
from audits.measure.disparity import Scope, Statistic
from audits.measure.prediction_table import contract_violations
from contracts.predictions import PATTERN, QUANTILE_COLUMNS, SUBJECT
from contracts.verdict import Finding, Outcome

TableOf = Callable[..., pd.DataFrame]
COURSE = f"{PATTERN}course"
RULE = "honest intervals on every course"


def with_rule(policy: Policy, *, binding: bool, must_be_shown: bool = True) -> Policy:
    """The policy with its rule on patterns, as a board may change it."""
    (shipped,) = (rule for rule in policy.rules if rule.scope is Scope.PATTERNS)
    asked = {"binding": binding, "must_be_shown": must_be_shown}
    rule = Rule.model_validate({**shipped.model_dump(), **asked})
    return without_rule(policy).model_copy(update={"rules": (*without_rule(policy).rules, rule)})


def without_rule(policy: Policy) -> Policy:
    kept = tuple(rule for rule in policy.rules if rule.scope is not Scope.PATTERNS)
    return policy.model_copy(update={"rules": kept})


def with_courses(table: pd.DataFrame, worse: int, shift: float = 0.0) -> pd.DataFrame:
    """The first people became worse, and their candidate's ranges are off by so many points."""
    is_worse_N = table[SUBJECT].to_numpy() < worse
    labels = np.where(is_worse_N, "became worse", "about as before")
    table = table.assign(**{COURSE: labels})
    shifted_N = is_worse_N & (table["model"] == "candidate").to_numpy()
    table.loc[shifted_N, list(QUANTILE_COLUMNS)] += shift
    return table


def on_courses(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {f.group: f for f in findings if f.axis == COURSE}


@pytest.mark.parametrize(
    ("worse", "shift", "binding", "must_be_shown", "of_worse", "passes"),
    [
        (200, 0.0, True, True, Outcome.PASS, True),
        (60, 6.0, True, True, Outcome.BLOCKED, False),
        (60, 6.0, False, True, Outcome.BLOCKED, True),
        (6, 0.0, True, True, Outcome.INSUFFICIENT, False),
        (200, 0.0, True, False, Outcome.PASS, True),
        (60, 6.0, True, False, Outcome.BLOCKED, False),
        (14, 3.5, True, True, Outcome.REVIEW, False),
        (14, 3.5, True, False, Outcome.REVIEW, False),
        (6, 0.0, True, False, Outcome.INSUFFICIENT, True),
    ],
)
def test_a_policy_may_ask_that_ranges_hold_on_every_course(
    table_of: TableOf,
    quick_policy: Policy,
    inputs: AuditInputs,
    worse: int,
    shift: float,
    binding: bool,
    must_be_shown: bool,
    of_worse: Outcome,
    passes: bool,
) -> None:
    """In the mean over everybody the ranges hold: nothing else of the policy sees the fault."""
    table = with_courses(table_of(1_000, groups={"sex": ("female", "male")}), worse, shift)
    coverage = (r for r in quick_policy.rules if r.metric == "coverage of the 80 % interval")
    kept = [r for r in quick_policy.rules if r.comparator is not None]
    policy = quick_policy.model_copy(update={"rules": (*kept, *coverage), "lost": None})
    verdict = judge(table, with_rule(policy, binding=binding, must_be_shown=must_be_shown), inputs)
    found = on_courses(verdict.findings)
    assert set(found) == {"became worse", "about as before"}
    assert found["became worse"].outcome is of_worse
    assert found["about as before"].outcome is Outcome.PASS
    assert found["became worse"].reason.startswith("course: became worse (n = ")
    assert verdict.outcome.is_pass == passes
    assert not any("&" in f.axis and PATTERN in f.axis for f in verdict.findings)
    # A pattern is on nobody's record beforehand; under an override whoever shows it is told.
    assert verdict.held_back is not None
    told = {o.labels for o in verdict.held_back.groups.outside({COURSE: "became worse"})}
    left_open = not must_be_shown and of_worse is Outcome.INSUFFICIENT
    holds_back = binding and of_worse is not Outcome.PASS and not left_open
    assert (("became worse",) in told) == holds_back
    assert found["became worse"].binding == (binding and not left_open)
    # What holds nothing back is told, also to whoever shows it.
    asked = with_rule(policy, binding=binding, must_be_shown=must_be_shown)
    told_open = {(COURSE, "became worse")} if left_open else set()
    assert in_doubt(asked, verdict.findings) == told_open
    assert not on_courses(judge(table, without_rule(policy), inputs).findings)


def test_a_table_without_patterns_is_told_where_a_policy_asks_for_them(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    policy = quick_policy.model_copy(update={"lost": None})
    for must_be_shown in (True, False):
        asked = with_rule(policy, binding=True, must_be_shown=must_be_shown)
        (found,) = (f for f in judge(table_of(200), asked, inputs).findings if f.rule == RULE)
        assert (found.outcome, found.binding) == (Outcome.INSUFFICIENT, must_be_shown)


@pytest.mark.parametrize("worse", [1, 6, 10, 11, 40])
def test_a_pattern_of_few_people_is_hidden_and_so_is_what_would_tell_it(
    table_of: TableOf, quick_policy: Policy, worse: int
) -> None:
    table = with_courses(table_of(80), worse)
    shown = pattern_of(table, with_rule(quick_policy, binding=False))
    cells = [Cell(axis=COURSE, group=label) for label in ("became worse", "about as before")]
    told = [shown.shows(Quantity(), cell) for cell in cells]
    assert told == [worse >= 11] * 2
    assert not any(c.axis == COURSE and c.horizon_day for c in shown.shown[Quantity()])
    # Not asked for, not shown.
    unasked = pattern_of(table, without_rule(quick_policy))
    assert not any(unasked.shows(Quantity(), cell) for cell in cells)


def test_a_pattern_is_compared_with_no_other(quick_policy: Policy) -> None:
    rule = with_rule(quick_policy, binding=False).rules[-1].model_dump()
    with pytest.raises(ValidationError, match="compared with no other"):
        Rule.model_validate({**rule, "statistic": Statistic.DIFFERENCE})


def test_a_forecast_of_the_candidate_without_a_pattern_breaks_the_contract(
    table_of: TableOf,
) -> None:
    table = with_courses(table_of(30), 5)
    assert contract_violations(table) == []
    table.loc[(table["model"] == "candidate") & (table[SUBJECT] == 3), COURSE] = None
    assert contract_violations(table) == [f"{COURSE}: 2 row(s) have no label"]
