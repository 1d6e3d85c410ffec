"""The trials of the rule on patterns: what is planted is there, and each way holds back more."""

from __future__ import annotations

import pandas as pd
import pytest

from audits.judging.policy import load_policy
from audits.measure.disparity import Scope
from contracts.predictions import PATTERN, SUBJECT, TRUTH
from support.pattern_trials import (
    FAILING,
    HOLDS_BACK,
    held,
    pattern_rule,
    population,
    recalibrated,
    rules_for,
)


@pytest.fixture(scope="module")
def sound() -> pd.DataFrame:
    return population(500)


def coverage(table: pd.DataFrame) -> float:
    return float(((table[TRUTH] >= table["q10"]) & (table[TRUTH] <= table["q90"])).mean())


@pytest.mark.parametrize("failing", [None, *FAILING])
def test_the_range_fails_in_the_pattern_that_is_planted_and_nowhere_else(
    sound: pd.DataFrame, failing: str | None
) -> None:
    table = recalibrated(sound, failing)
    for axis, label in FAILING.values():
        own = table[table[PATTERN + axis] == label]
        if failing is not None:
            others_axis, others = FAILING[failing]
            own = own[(own[PATTERN + others_axis] == others) == ((axis, label) == FAILING[failing])]
        if len(own) < 100:
            continue
        planted = failing is not None and (axis, label) == FAILING[failing]
        assert coverage(own) == pytest.approx(0.55 if planted else 0.8, abs=0.06)


def test_each_way_of_binding_holds_back_what_the_one_before_does(sound: pd.DataFrame) -> None:
    policy = rules_for(load_policy(), pattern_rule(load_policy()))
    (asked,) = (rule for rule in policy.rules if rule.scope is Scope.PATTERNS)
    assert not asked.must_be_shown
    assert sound[SUBJECT].nunique() > 400
    for failing in (None, "floor"):
        table = recalibrated(sound, failing)
        found = held(table, policy, failing, people=200, cohorts=4, seed=1)
        ways = [found.back[way] for way in HOLDS_BACK]
        assert ways == sorted(ways)
    assert found.back["where suspected"] >= 0.75
