"""Hiding a trial's randomisation, on SIMULATED people whose effect is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from support.ist_confounded import HIDDEN_ODDS, Trial, confounded, found_in, standardised_risk


@pytest.fixture(scope="module")
def trial() -> Trial:
    """A coin gave a treatment that changes nothing; the outcome follows the first covariate."""
    rng = np.random.default_rng(0)
    covariates = rng.normal(size=(12_000, 3))
    bad = rng.random(12_000) < expit(1.5 * covariates[:, 0])
    return Trial(
        covariates, rng.random(12_000) < 0.5, bad.astype(np.float64), np.arange(12_000) // 30
    )


def test_hiding_the_coin_confounds_and_adjusting_finds_the_effect_again(trial: Trial) -> None:
    risk = standardised_risk(trial)
    assert np.corrcoef(risk, trial.covariates_NF[:, 0])[0, 1] > 0.95
    sample = confounded(trial, risk, 1.0, seed=0)
    assert abs(len(sample.bad_N) - 6_000) < 200
    found = found_in(sample, seed=0)
    assert found.naive > 0.15
    assert abs(found.adjusted.value) < 3 * found.adjusted.standard_error < 0.06
    assert abs(found.weighted) < 0.05
    assert found.comparable < len(sample.bad_N) / 2


def test_without_confounding_half_are_kept_and_nothing_changes(trial: Trial) -> None:
    found = found_in(confounded(trial, standardised_risk(trial), 0.0, seed=1), seed=1)
    assert found.naive == pytest.approx(found.adjusted.value, abs=0.02)


def test_a_hidden_confounder_deceives_the_estimate_and_not_its_curve(trial: Trial) -> None:
    sample = confounded(trial, standardised_risk(trial), 1.0, seed=2, hidden_odds=HIDDEN_ODDS)
    found = found_in(sample, seed=2)
    assert found.adjusted.lower > 0.1
    explained = found.curve.reaches(0)
    assert explained is not None
    assert 1.1 < explained < HIDDEN_ODDS
