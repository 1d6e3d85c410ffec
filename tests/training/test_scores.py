from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from audits.measure.metrics import Measure, Metric, MetricThresholds, addends
from contracts import predictions as columns
from contracts.forecast import LOWER_80, QUANTILE_LEVELS, UPPER_80
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


SCORE = st.floats(-1000, 1000, allow_subnormal=False)


@given(
    arrays(float, st.tuples(st.integers(1, 5), st.just(len(QUANTILE_LEVELS))), elements=SCORE),
    st.data(),
)
def test_scores_are_those_of_the_library_whatever_the_forecast(
    quantiles_NQ: np.ndarray, data: st.DataObject
) -> None:
    """docs/decisions/0013 says why the library judges ours and does not take its place."""
    # Importing it compiles its functions, some seconds each time: not in every process that collects.
    import scoringrules

    quantiles_NQ = np.sort(quantiles_NQ, axis=1)
    truth_N = data.draw(arrays(float, len(quantiles_NQ), elements=SCORE))
    predictions = pd.DataFrame(quantiles_NQ, columns=list(columns.QUANTILE_COLUMNS))
    predictions[columns.TRUTH] = truth_N
    theirs_N = scoringrules.crps_quantile(
        truth_N, quantiles_NQ, np.array(QUANTILE_LEVELS), backend="numpy"
    )
    scored = losses(predictions)
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(scored["crps"], theirs_N, **close)
    sums_N2 = addends(predictions, Measure(metric=Metric.CRPS), MetricThresholds())
    np.testing.assert_allclose(sums_N2[:, 0] / sums_N2[:, 1], theirs_N, **close)
    interval_N = scoringrules.interval_score(
        truth_N, quantiles_NQ[:, LOWER_80], quantiles_NQ[:, UPPER_80], 0.2, backend="numpy"
    )
    np.testing.assert_allclose(scored["interval_score"], np.atleast_1d(interval_N), **close)
