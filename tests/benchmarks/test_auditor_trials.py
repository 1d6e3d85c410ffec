"""The auditor evaluated on cohorts of the simulator; `make bench NAME=auditor` does 100 seeds of each."""

from __future__ import annotations

import pytest

from audits.judging.policy import Policy
from audits.judging.validation import validate
from support.auditor_evaluation import ABILITY
from support.auditor_trials import TRIALS, policy_for, run_trial
from support.simulated_forecasts import ARM, STEP_COUNTER, cohort, simulated_table

POPULATION = 2_000
"""Where nothing is to be measured in it; it is what tells a false alarm from a true one."""

EVERY = {trial.name: trial for trial in TRIALS}


def test_a_forecast_of_a_simulated_cohort_is_a_sound_prediction_table() -> None:
    trial = EVERY["F0"]
    table = simulated_table(trial.task, cohort(trial.scenario(), 250, seed=0))
    checks = validate(table.drop(columns=ABILITY), least_error=1.0)
    assert {finding.outcome for finding in checks} == {"pass"}
    error = (table["q50"] - table["truth"]).abs().groupby(table["model"]).mean()
    assert error.idxmin() == "candidate"


def test_a_policy_is_carried_over_to_the_scale_of_a_task(quick_policy: Policy) -> None:
    carried = {rule.name: rule.limit for rule in policy_for(STEP_COUNTER, quick_policy).rules}
    assert carried["no group forecast less accurately"] == pytest.approx(0.05)
    assert carried["no group's recovery overlooked"] == 0.25
    same = {rule.name: rule.limit for rule in policy_for(ARM, quick_policy).rules}
    assert same == {rule.name: rule.limit for rule in quick_policy.rules if rule.binding}


@pytest.mark.parametrize("name", ["F1", pytest.param("F6", marks=pytest.mark.soak)])
def test_a_planted_disparity_of_the_simulator_is_found(name: str, quick_policy: Policy) -> None:
    trial = EVERY[name]
    result = run_trial(trial, quick_policy, seeds=1, population=5000, as_shipped=False)
    assert result.rates.detected == 1.0
    assert result.gap == pytest.approx(2 * trial.task.limit, rel=0.15)


@pytest.mark.soak
def test_where_none_is_planted_there_is_no_alarm(quick_policy: Policy) -> None:
    rates = run_trial(EVERY["F0"], quick_policy, seeds=2, population=POPULATION).rates
    assert (rates.detected, rates.false_alarm) == (None, 0.0)


@pytest.mark.soak
def test_biased_scores_of_the_simulator_are_not_seen_and_are_bracketed(
    quick_policy: Policy,
) -> None:
    rates = run_trial(EVERY["F4"], quick_policy, seeds=2, population=POPULATION).rates
    assert (rates.detected, rates.false_alarm, rates.bracketed) == (None, 0.0, 1.0)
