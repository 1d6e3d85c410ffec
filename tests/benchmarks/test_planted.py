"""The auditor judged on planted disparities; `make bench NAME=auditor` does 100 seeds of each."""

from __future__ import annotations

import numpy as np
import pytest

from audits.judging.policy import Policy
from audits.judging.validation import validate
from support.planted import AXIS, HIT, Scenario, examine, planted_table, scenarios

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
        hit = rows[f"group:{AXIS}"] == HIT
        gaps.append(error[hit].mean() - error[~hit].mean())
    planted = 0.0 if scenario.metric is None else 2 * LIMIT
    assert np.mean(gaps) == pytest.approx(planted, abs=0.8)


def test_a_planted_table_is_a_sound_prediction_table() -> None:
    told = validate(planted_table(EVERY["F0"], seed=0), least_error=1.0)
    assert {finding.outcome for finding in told} == {"pass"}


@pytest.mark.parametrize("name", ["F1", "F2", "F3", "F5", "F6"])
def test_a_planted_disparity_is_found(name: str, quick_policy: Policy) -> None:
    assert examine(EVERY[name], quick_policy, seeds=1).found == 1.0


def test_no_disparity_raises_no_alarm(quick_policy: Policy) -> None:
    told = examine(EVERY["F0"], quick_policy, seeds=2)
    assert (told.found, told.false_alarm) == (None, 0.0)


def test_biased_labels_are_not_seen_and_are_bracketed(quick_policy: Policy) -> None:
    told = examine(EVERY["F4"], quick_policy, seeds=2)
    assert (told.false_alarm, told.bracketed) == (0.0, 1.0)
