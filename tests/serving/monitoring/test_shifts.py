"""The statistic of a change of level: by hand, and what it does not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.monitoring.shifts import (
    FARTHEST,
    LEAST_BEFORE,
    LEAST_NOW,
    LENGTHS,
    PRIOR_VALUES,
    Course,
    Shifts,
    day_scales,
    largest_shifts,
    medians,
    on_scale,
)

NAN = float("nan")
DAYS = 56
OWN = (54 * 2 + 6) / 55 * np.sqrt(np.pi) / 2
"""Scale of days that differ by 2, but for one by 6: within four of it, so nothing is cut off."""


NOTHING = np.zeros(1)


def shifts(
    value_T: np.ndarray, sign: int, usual: float = NAN, carried: float = 0.0, drift: float = 0.0,
    *, weekly: bool = False,
) -> Shifts:  # fmt: skip
    course = Course(carried_N=np.array([carried]), drift_N=np.array([drift]))
    return largest_shifts(value_T[None], np.array([usual]), course, np.array([sign]), weekly=weekly)


def series(seed: int, days: int = 56) -> np.ndarray:
    return np.random.default_rng(seed).normal(10, 1, days)


def test_a_change_is_found_on_the_day_that_it_began_with_its_size_by_hand() -> None:
    value_T = np.tile([9.0, 11.0], 28)
    value_T[-8:] = np.tile([5.0, 7.0], 4)
    found = shifts(value_T, -1)
    assert found.length[0] == 8
    assert (found.values_now[0], found.values_before[0]) == (8, DAYS - 8)
    assert found.size[0] == pytest.approx(-4 / (OWN * np.sqrt(1 / 8 + 1 / (DAYS - 8))))
    assert found.judged[0] == -found.size[0]


def test_the_own_scale_is_drawn_towards_that_of_others_by_what_is_known() -> None:
    value_T = np.tile([9.0, 11.0], 28)
    value_T[-8:] = np.tile([5.0, 7.0], 4)
    usual = 1.0
    scale = np.sqrt((PRIOR_VALUES * usual**2 + 55 * OWN**2) / (PRIOR_VALUES + 55))
    found = shifts(value_T, -1, usual)
    assert found.size[0] == pytest.approx(-4 / (scale * np.sqrt(1 / 8 + 1 / (DAYS - 8))))


def carried_series(generator: np.random.Generator, carried: float, days: int) -> np.ndarray:
    """Days of deviation 1 whose correlation is `carried` to the power of their distance."""
    noise = generator.normal(0, np.sqrt(1 - carried**2), days)
    noise[0] /= np.sqrt(1 - carried**2)
    return np.array([
        (value := noise[0]) if day == 0 else (value := carried * value + noise[day])
        for day in range(days)
    ])  # fmt: skip


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000), carried=st.sampled_from([0.0, 0.3, 0.6]),
    drift=st.sampled_from([0.0, 0.02, 0.1]),
)  # fmt: skip
def test_it_is_the_estimate_of_least_squares_with_the_correlation_of_all_days(
    seed: int, carried: float, drift: float
) -> None:
    """Written out with the covariance of every two days: noise that is carried over, and slopes."""
    generator = np.random.default_rng(seed)
    value_T = 0.5 * carried_series(generator, carried, DAYS)
    value_T[generator.random(DAYS) < 0.3] = NAN
    (scale,), _ = day_scales(value_T[None], np.array([carried]), weekly=False)
    at = np.flatnonzero(np.isfinite(value_T))
    apart = np.abs(np.subtract.outer(at, at)).astype(float)
    covariance = carried**apart + drift**2 * np.outer(at - DAYS + 1, at - DAYS + 1)
    far = FARTHEST * scale
    near_N = np.clip(value_T[at] - np.median(value_T[at]), -far, far) / scale
    wanted = []
    for length in LENGTHS:
        is_now = at >= DAYS - length
        if (DAYS - length) in at and is_now.sum() >= LEAST_NOW:
            design = np.stack([np.ones(len(at)), is_now], axis=1)
            inverse = np.linalg.inv(design.T @ np.linalg.solve(covariance, design))
            level = inverse @ design.T @ np.linalg.solve(covariance, near_N)
            wanted.append(level[1] / np.sqrt(inverse[1, 1]))
    found = shifts(value_T, 0, carried=carried, drift=drift)
    assert abs(found.size[0]) == pytest.approx(np.abs(wanted).max(), rel=1e-6)


def test_a_steady_fall_is_no_change_where_people_drift() -> None:
    falling_T = 10 - 0.06 * np.arange(DAYS) + 0.5 * series(4) - 5
    assert shifts(falling_T, -1, drift=0.15).judged[0] < shifts(falling_T, -1).judged[0] - 1
    changed_T = series(4)
    changed_T[-7:] -= 4
    assert shifts(changed_T, -1, drift=0.15).judged[0] > 4


@pytest.mark.parametrize("carried", [0.0, 0.3, 0.6])
def test_the_scale_of_days_is_theirs_however_much_is_carried_over(carried: float) -> None:
    value_T = 3 * carried_series(np.random.default_rng(1), carried, 4000)
    value_T[np.random.default_rng(2).random(4000) < 0.3] = NAN
    (scale,), _ = day_scales(value_T[None], np.array([carried]), weekly=False)
    assert scale == pytest.approx(3, rel=0.05)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), at=st.floats(-50, 50), times=st.floats(0.1, 10))
def test_neither_the_level_nor_the_unit_of_a_value_matters(
    seed: int, at: float, times: float
) -> None:
    value_T = series(seed)
    value_T[np.random.default_rng(seed).random(56) < 0.2] = NAN
    plain, moved = shifts(value_T, 0), shifts(at + times * value_T, 0)
    assert moved.size[0] == pytest.approx(plain.size[0], rel=1e-6)
    assert moved.length[0] == plain.length[0]
    turned = shifts(-value_T, 0)
    assert turned.size[0] == pytest.approx(-plain.size[0])
    assert shifts(value_T, 1).judged[0] == pytest.approx(shifts(-value_T, -1).judged[0])


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), many=st.integers(1, 4))
def test_series_are_judged_each_on_its_own(seed: int, many: int) -> None:
    value_NT = np.array([series(seed + n) for n in range(many)])
    value_NT[np.random.default_rng(seed).random(value_NT.shape) < 0.3] = NAN
    course = Course(carried_N=np.full(many, 0.4), drift_N=np.full(many, 0.02))
    together = largest_shifts(value_NT, np.full(many, 1.0), course, np.full(many, -1))
    for n in range(many):
        assert together.judged[n] == shifts(value_NT[n], -1, 1.0, 0.4, 0.02).judged[0]


def test_a_bigger_change_is_never_a_smaller_alarm_and_one_wild_day_is_none() -> None:
    value_T = series(3)
    sizes = []
    for lost in range(6):
        changed = value_T.copy()
        changed[-7:] -= lost
        sizes.append(shifts(changed, -1, 1.0).judged[0])
    assert sizes == sorted(sizes)
    wild = value_T.copy()
    wild[-1] = -1e9
    assert shifts(wild, -1, 1.0).judged[0] < sizes[3]


def test_a_steady_trend_is_no_noise() -> None:
    """The scale is that of days, so a rise of a point a day does not hide a fall."""
    trend_T = np.arange(56) + series(5)
    scale, _ = day_scales(trend_T[None], NOTHING, weekly=False)
    flat, _ = day_scales(series(5)[None], NOTHING, weekly=False)
    assert scale[0] < 2 * flat[0]


@pytest.mark.parametrize("kept", [LEAST_NOW + LEAST_BEFORE - 1, LEAST_NOW + LEAST_BEFORE])
def test_too_few_values_say_nothing(kept: int) -> None:
    value_T = np.full(56, NAN)
    value_T[-kept:] = series(1)[-kept:]
    assert np.isfinite(shifts(value_T, -1, 1.0).judged[0]) == (kept >= LEAST_NOW + LEAST_BEFORE)
    assert shifts(np.full(56, 3.0), -1).judged[0] == -np.inf
    assert shifts(np.full(56, NAN), -1, 1.0).judged[0] == -np.inf


def test_whole_weeks_see_no_change_in_a_weekly_plan() -> None:
    week = [30.0, 30, 30, 30, 30, 0, 0]
    planned_T = np.tile(week, 8)
    assert shifts(planned_T, -1, 10.0, weekly=True).judged[0] == pytest.approx(0, abs=1e-9)
    planned_T[-14:] /= 3
    found = shifts(planned_T, -1, 10.0, weekly=True)
    assert found.length[0] == 14
    assert found.judged[0] > 2


def test_medians_are_those_of_numpy() -> None:
    value_NT = np.random.default_rng(0).normal(size=(50, 9))
    value_NT[np.random.default_rng(1).random((50, 9)) < 0.4] = NAN
    value_NT[0] = NAN
    expected = [
        np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else NAN for row in value_NT
    ]
    np.testing.assert_allclose(medians(value_NT), expected)


def test_a_day_without_a_step_is_not_infinitely_far() -> None:
    scaled = on_scale(np.array([[0.0, 100, 100, 100], [0.0, 0, 0, 1]]))
    assert scaled[0, 0] == pytest.approx(np.log(2))
    assert np.isnan(scaled[1]).all()
