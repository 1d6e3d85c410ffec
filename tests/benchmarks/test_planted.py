"""The auditor judged on planted disparities; `make bench NAME=auditor` does 100 seeds of each."""

from __future__ import annotations

import numpy as np
import pytest

from audits.judging.policy import Policy
from audits.judging.validation import validate
from support.auditor_evaluation import DetectionRates, evaluate
from support.planted import (
    AFFECTED,
    AXIS,
    Scenario,
    planted_case,
    planted_table,
    scenarios,
)

LIMIT = 4.25
EVERY = {scenario.name: scenario for scenario in scenarios(LIMIT)}


@pytest.mark.parametrize("scenario", EVERY.values(), ids=EVERY.keys())
def test_a_disparity_is_planted_twice_as_large_as_the_limit(scenario: Scenario) -> None:
    tables = [planted_table(scenario, seed=seed) for seed in range(3)]
    gaps = []
    for table in tables:
        rows = table[table["model"] == "candidate"]
        error = rows["q50"] - rows["truth"]
        error = error.abs() if scenario.metric == "mean absolute error" else error
        affected = rows[f"group:{AXIS}"] == AFFECTED
        gaps.append(error[affected].mean() - error[~affected].mean())
    planted = 0.0 if scenario.metric is None else 2 * LIMIT
    assert np.mean(gaps) == pytest.approx(planted, abs=0.8)


def test_a_planted_table_is_a_sound_prediction_table() -> None:
    checks = validate(planted_table(EVERY["F0"], seed=0), least_error=1.0)
    assert {finding.outcome for finding in checks} == {"pass"}


def rates_of(name: str, policy: Policy, *, seeds: int) -> DetectionRates:
    return evaluate(planted_case(EVERY[name], policy), seeds=seeds)


@pytest.mark.parametrize("name", ["F1", "F2", "F3", "F5", "F6"])
def test_a_planted_disparity_is_found(name: str, quick_policy: Policy) -> None:
    assert rates_of(name, quick_policy, seeds=1).detected == 1.0


def test_no_disparity_raises_no_alarm(quick_policy: Policy) -> None:
    rates = rates_of("F0", quick_policy, seeds=2)
    assert (rates.detected, rates.false_alarm) == (None, 0.0)


def test_biased_labels_are_not_seen_and_are_bracketed(quick_policy: Policy) -> None:
    rates = rates_of("F4", quick_policy, seeds=2)
    assert (rates.false_alarm, rates.bracketed) == (0.0, 1.0)
