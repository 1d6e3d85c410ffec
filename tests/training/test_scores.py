from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from contracts import predictions as columns
from contracts.forecast import QUANTILE_LEVELS
from training.scores import losses, paired_difference


def table(truth: list[float], centre: float, spread: float) -> pd.DataFrame:
    predictions = pd.DataFrame({columns.TRUTH: truth})
    predictions[list(columns.QUANTILE_COLUMNS)] = centre + spread * norm.ppf(QUANTILE_LEVELS)
    return predictions


def test_a_certain_forecast_has_the_absolute_error_as_its_crps() -> None:
    scored = losses(table([10.0, 13.0], centre=10.0, spread=0.0))
    assert scored["mae"].tolist() == pytest.approx([0.0, 3.0])
    assert scored["crps"].tolist() == pytest.approx([0.0, 3.0])
    assert scored["coverage_80"].tolist() == [1.0, 0.0]


def test_the_crps_is_close_to_the_closed_form_of_a_normal_forecast() -> None:
    truth = np.linspace(-2, 2, 9)
    # Gneiting and Raftery 2007, equation 21.
    exact = truth * (2 * norm.cdf(truth) - 1) + 2 * norm.pdf(truth) - 1 / np.sqrt(np.pi)
    scored = losses(table(truth.tolist(), centre=0.0, spread=1.0))
    np.testing.assert_allclose(scored["crps"].to_numpy(), exact, rtol=0.06)


def test_the_interval_of_a_difference_counts_subjects_and_not_rows() -> None:
    generator = np.random.default_rng(0)
    effect_S = generator.normal(0.5, 1, size=80)
    once = paired_difference(effect_S, np.zeros(80), np.arange(80))
    five_times = paired_difference(
        np.repeat(effect_S, 5), np.zeros(400), np.repeat(np.arange(80), 5)
    )
    assert five_times.mean == pytest.approx(once.mean)
    assert five_times.high - five_times.low == pytest.approx(once.high - once.low, rel=0.1)
    # Against the normal theory of a mean of 80.
    assert once.high - once.low == pytest.approx(2 * 1.96 * effect_S.std() / np.sqrt(80), rel=0.15)
