from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from contracts.forecast import LOWER_80, MEDIAN, QUANTILE_LEVELS, UPPER_80
from contracts.groups import GroupName
from inference.offsets import (
    MINIMUM_GROUP,
    MINIMUM_OUTCOMES,
    Offsets,
    calibrate,
    learn_offsets,
    memberships,
)

NORMAL_Q = norm.ppf(QUANTILE_LEVELS)


def forecasts(pairs: int, horizons: int, spread: float) -> np.ndarray:
    return np.full((pairs, horizons, 1), 30.0) + spread * NORMAL_Q


def learned(truth_BH: np.ndarray, spread: float, groups: pd.DataFrame | None = None) -> Offsets:
    everybody = pd.DataFrame(index=range(len(truth_BH))) if groups is None else groups
    return learn_offsets(truth_BH, forecasts(*truth_BH.shape, spread), everybody)


def held(truth_BH: np.ndarray, fixed_BHQ: np.ndarray) -> np.ndarray:
    return (truth_BH >= fixed_BHQ[..., LOWER_80]) & (truth_BH <= fixed_BHQ[..., UPPER_80])


def test_overconfident_intervals_are_widened_to_hold_what_they_claim() -> None:
    generator = np.random.default_rng(0)
    truth_BH = generator.normal(30, 6, size=(2_000, 2)).astype(np.float32)
    offsets_HQ = learned(truth_BH[:1_000], 2.0).offsets_HQ
    fixed = calibrate(forecasts(1_000, 2, spread=2.0), offsets_HQ, 0, 66)
    # 1,000 calibration and 1,000 test draws: one standard deviation is 1.8 points.
    assert held(truth_BH[1_000:], fixed).mean() == pytest.approx(0.80, abs=0.05)


def overlapping(pairs: int, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Outcomes whose spread depends on two attributes that overlap."""
    generator = np.random.default_rng(seed)
    sex, wear = generator.integers(0, 2, pairs), generator.integers(0, 2, pairs)
    spread = 3.0 + 2 * sex + 4 * wear
    truth_BH = generator.normal(30, spread)[:, None].astype(np.float32)
    labels = {"sex": np.where(sex, "male", "female"), "wear": np.where(wear, "low", "high")}
    return truth_BH, pd.DataFrame(labels)


def test_every_group_gets_intervals_that_hold_and_not_only_everybody_together() -> None:
    truth_BH, groups = overlapping(8_000, seed=1)
    fresh_BH, fresh = overlapping(8_000, seed=2)
    calibration = learned(truth_BH, 3.0, groups)
    raw_BHQ = forecasts(8_000, 1, 3.0)
    pooled = held(fresh_BH, calibrate(raw_BHQ, calibration.offsets_HQ, 0, 66))[:, 0]
    own = held(fresh_BH, calibrate(raw_BHQ, calibration.of_groups(fresh), 0, 66))[:, 0]
    worst = lambda inside: min(  # noqa: E731
        inside[(fresh[name] == label).to_numpy()].mean()
        for name in fresh
        for label in fresh[name].unique()
    )
    assert worst(pooled) < 0.75
    assert worst(own) > 0.78
    assert own.mean() == pytest.approx(0.80, abs=0.02)


def test_a_small_group_shares_the_offsets_of_everybody() -> None:
    truth_BH, groups = overlapping(1_000, seed=3)
    groups.loc[groups.index[MINIMUM_GROUP - 1 :], "sex"] = "female"
    groups.loc[groups.index[: MINIMUM_GROUP - 1], "sex"] = "male"
    calibration = learned(truth_BH, 3.0, groups)
    assert GroupName(attribute="sex", label="male") not in calibration.groups_G
    wear = {GroupName(attribute="wear", label=label) for label in ("low", "high")}
    assert wear <= set(calibration.groups_G)


def test_a_group_that_nobody_met_in_calibration_is_no_error() -> None:
    truth_BH, groups = overlapping(1_000, seed=4)
    calibration = learned(truth_BH, 3.0, groups)
    stranger = pd.DataFrame({"wear": ["no wearable"]})
    np.testing.assert_array_equal(calibration.of_groups(stranger)[0], calibration.offsets_HQ)
    assert memberships(pd.DataFrame(index=[0]), calibration.groups_G).sum() == 0


def test_the_median_is_never_moved() -> None:
    truth_BH, groups = overlapping(1_000, seed=5)
    assert (learned(truth_BH, 5.0, groups).of_groups(groups)[..., MEDIAN] == 0).all()


def test_a_horizon_with_few_outcomes_shares_the_pooled_offsets() -> None:
    truth_BH = np.random.default_rng(2).normal(30, 6, size=(400, 2)).astype(np.float32)
    truth_BH[MINIMUM_OUTCOMES - 1 :, 1] = np.nan
    offsets_HQ = learned(truth_BH, 2.0).offsets_HQ
    alone = learned(truth_BH[:, :1], 2.0).offsets_HQ
    np.testing.assert_array_equal(offsets_HQ[0], alone[0])
    assert not np.array_equal(offsets_HQ[0], offsets_HQ[1])


def test_without_any_outcome_nothing_is_moved() -> None:
    truth_BH = np.full((5, 2), np.nan, dtype=np.float32)
    assert (learned(truth_BH, 2.0).offsets_HQ == 0).all()


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
