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
    lateness,
    learn_offsets,
    memberships,
)

NORMAL_Q = norm.ppf(QUANTILE_LEVELS)


def forecasts(pairs: int, horizons: int, spread: float) -> np.ndarray:
    return np.full((pairs, horizons, 1), 30.0) + spread * NORMAL_Q


def learned(
    truth_BH: np.ndarray,
    spread: float,
    groups: pd.DataFrame | None = None,
    days: np.ndarray | None = None,
    people: np.ndarray | None = None,
) -> Offsets:
    everybody = pd.DataFrame(index=range(len(truth_BH))) if groups is None else groups
    one_day = np.zeros(len(truth_BH)) if days is None else days
    people = np.arange(len(truth_BH)) if people is None else people
    quantiles_BHQ = forecasts(*truth_BH.shape, spread)
    return learn_offsets(truth_BH, quantiles_BHQ, everybody, one_day, people)


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
    own = held(fresh_BH, calibrate(raw_BHQ, calibration.of_pairs(fresh, np.zeros(8_000)), 0, 66))[
        :, 0
    ]
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
    np.testing.assert_array_equal(
        calibration.of_pairs(stranger, np.zeros(1))[0], calibration.offsets_HQ
    )
    assert memberships(pd.DataFrame(index=[0]), calibration.groups_G).sum() == 0


def test_the_median_is_never_moved() -> None:
    truth_BH, groups = overlapping(1_000, seed=5)
    days = np.geomspace(1, 1_000, 1_000)
    calibration = learned(truth_BH, 5.0, groups, days)
    assert calibration.late_Q.any()
    assert (calibration.of_pairs(groups, days)[..., MEDIAN] == 0).all()


def test_a_horizon_with_few_outcomes_shares_the_pooled_offsets() -> None:
    truth_BH = np.random.default_rng(2).normal(30, 6, size=(400, 2)).astype(np.float32)
    truth_BH[MINIMUM_OUTCOMES - 1 :, 1] = np.nan
    offsets_HQ = learned(truth_BH, 2.0).offsets_HQ
    alone = learned(truth_BH[:, :1], 2.0).offsets_HQ
    np.testing.assert_array_equal(offsets_HQ[0], alone[0])
    assert not np.array_equal(offsets_HQ[0], offsets_HQ[1])


def easier_with_time(people: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes whose spread falls from 12 in the first days to 3 years later, and the days."""
    generator = np.random.default_rng(seed)
    days = np.exp(generator.uniform(np.log(4), np.log(2_000), people))
    spread = 12 - 9 * np.log(days / 4) / np.log(500)
    return generator.normal(30, spread[:, None], size=(people, 3)).astype(np.float32), days


def test_ranges_hold_soon_after_onset_as_long_after_it() -> None:
    truth_BH, days = easier_with_time(1_000, seed=1)
    fresh_BH, fresh_days = easier_with_time(5_000, seed=2)
    raw_BHQ, nobody = forecasts(5_000, 3, 6.0), pd.DataFrame(index=range(5_000))
    held_by = {}
    for name, learned_days in {"one for all": np.zeros(1_000), "by time": days}.items():
        offsets = learned(truth_BH, 6.0, days=learned_days)
        fixed_BHQ = calibrate(raw_BHQ, offsets.of_pairs(nobody, fresh_days), 0, 66)
        inside_B = held(fresh_BH, fixed_BHQ).mean(axis=1)
        fifths = np.array_split(inside_B[np.argsort(fresh_days)], 5)
        held_by[name] = [fifth.mean() for fifth in fifths]
    assert held_by["one for all"][0] < 0.65
    assert held_by["one for all"][-1] > 0.9
    # 1,000 people of three outcomes each in a fifth: a standard deviation is 0.7 points.
    assert held_by["by time"] == pytest.approx([0.80] * 5, abs=0.06)


@given(st.integers(0, 2**32 - 1), st.floats(0, 5_000), st.floats(1, 1.9))
def test_offsets_depend_on_time_only_where_people_are_seen_at_different_times(
    seed: int, day: float, ratio: float
) -> None:
    truth_BH, days = easier_with_time(300, seed)
    together = day + 1 + (day * ratio - day) * np.linspace(0, 1, 300)
    assert not learned(truth_BH, 6.0, days=together).late_Q.any()
    few_late = np.where(np.arange(300) < 50, days + 1_000, 5.0)
    of_ten = np.where(np.arange(300) < 50, np.arange(300) % 10, np.arange(300))
    assert learned(truth_BH, 6.0, days=few_late).late_Q.any()
    assert not learned(truth_BH, 6.0, days=few_late, people=of_ten).late_Q.any()


@given(st.tuples(st.floats(1, 1e4), st.floats(1, 1e4)), st.floats(0, 1e5), st.floats(0, 1e5))
def test_lateness_rises_from_0_to_1(bounds: tuple[float, float], one: float, other: float) -> None:
    first, second = sorted(bounds)
    earlier, later = lateness(np.sort([one, other]), (first, second))
    assert 0 <= earlier <= later <= 1
    ends = lateness(np.array([first, second]), (first, second))
    np.testing.assert_allclose(ends, [0, float(first < second)], atol=1e-12)


def test_no_offset_tells_anybodys_day() -> None:
    truth_BH, days = easier_with_time(400, seed=3)
    powers = np.log2(learned(truth_BH, 6.0, days=days).onset_days)
    np.testing.assert_array_equal(powers, powers.round())


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
