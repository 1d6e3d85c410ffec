from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from contracts.forecast import LOWER_80, MEDIAN, QUANTILE_LEVELS, UPPER_80
from training.calibration import MINIMUM_OUTCOMES, calibrate, conformal_offsets

NORMAL_Q = norm.ppf(QUANTILE_LEVELS)


def forecasts(pairs: int, horizons: int, spread: float) -> np.ndarray:
    return np.full((pairs, horizons, 1), 30.0) + spread * NORMAL_Q


def test_overconfident_intervals_are_widened_to_hold_what_they_claim() -> None:
    generator = np.random.default_rng(0)
    truth_BH = generator.normal(30, 6, size=(2_000, 2)).astype(np.float32)
    offsets_HQ = conformal_offsets(truth_BH[:1_000], forecasts(1_000, 2, spread=2.0))
    fixed = calibrate(forecasts(1_000, 2, spread=2.0), offsets_HQ, 0, 66)
    inside = (truth_BH[1_000:] >= fixed[..., LOWER_80]) & (truth_BH[1_000:] <= fixed[..., UPPER_80])
    # 1,000 calibration and 1,000 test draws: one standard deviation is 1.8 points.
    assert inside.mean() == pytest.approx(0.80, abs=0.05)


def test_the_median_is_never_moved() -> None:
    truth_BH = np.random.default_rng(1).normal(40, 3, size=(300, 3)).astype(np.float32)
    assert (conformal_offsets(truth_BH, forecasts(300, 3, 5.0))[:, MEDIAN] == 0).all()


def test_a_horizon_with_few_outcomes_shares_the_pooled_offsets() -> None:
    truth_BH = np.random.default_rng(2).normal(30, 6, size=(400, 2)).astype(np.float32)
    truth_BH[MINIMUM_OUTCOMES - 1 :, 1] = np.nan
    offsets_HQ = conformal_offsets(truth_BH, forecasts(400, 2, 2.0))
    alone = conformal_offsets(truth_BH[:, :1], forecasts(400, 1, 2.0))
    np.testing.assert_array_equal(offsets_HQ[0], alone[0])
    assert not np.array_equal(offsets_HQ[0], offsets_HQ[1])


def test_without_any_outcome_nothing_is_moved() -> None:
    truth_BH = np.full((5, 2), np.nan, dtype=np.float32)
    assert (conformal_offsets(truth_BH, forecasts(5, 2, 2.0)) == 0).all()


@given(st.integers(0, 2**32 - 1), st.floats(0, 66), st.floats(0.1, 30), st.floats(-30, 30))
def test_calibrated_quantiles_rise_and_stay_on_the_scale(
    seed: int, centre: float, spread: float, offset: float
) -> None:
    raw = np.clip(centre + spread * NORMAL_Q, 0, 66)[None, None]
    offsets_HQ = np.random.default_rng(seed).normal(0, abs(offset), size=(1, len(QUANTILE_LEVELS)))
    offsets_HQ[:, MEDIAN] = 0
    fixed = calibrate(raw, offsets_HQ, 0, 66)
    assert (np.diff(fixed, axis=-1) >= 0).all()
    assert fixed.min() >= 0
    assert fixed.max() <= 66
    assert fixed[0, 0, MEDIAN] == raw[0, 0, MEDIAN]
