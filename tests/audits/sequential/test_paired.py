"""Bounds of a paired difference that hold at every look, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.measure.metrics import Metric, range_of
from audits.sequential.betting import BETS_K
from audits.sequential.paired import bounds, wealth

SIZE, ALPHA, LIMIT = 10.0, 0.05, 1.0

DIFFERENCES = st.lists(st.floats(-30, 30), max_size=40).map(np.array)


def test_the_wealth_of_two_people_is_what_it_is_by_hand() -> None:
    # (1 - 0) / 9 and (1 - 4) / 9 are paid, at each of the bets.
    expected = np.mean([(1 + f / 9) * (1 - f / 3) for f in BETS_K])
    assert wealth(np.array([0.0, 4.0]), LIMIT, SIZE) == pytest.approx(float(expected))
    assert wealth(np.zeros(0), LIMIT, SIZE) == 1


@pytest.mark.property
@given(worse_N=DIFFERENCES, limit=st.floats(-8, 8))
def test_what_is_within_the_bound_is_what_the_bets_show(worse_N: np.ndarray, limit: float) -> None:
    found = bounds(worse_N, SIZE, ALPHA)
    assert -SIZE <= found.low <= found.mean + 1e-6
    assert found.mean - 1e-6 <= found.high <= SIZE
    # One and the same: the criterion that is met, and the bound that is below its limit.
    if abs(limit - found.high) > 1e-6:
        assert (wealth(worse_N, limit, SIZE) >= 1 / ALPHA) == (found.high < limit)
    better = bounds(-worse_N, SIZE, ALPHA)
    assert (better.low, better.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("skew", [-1.0, 0.0, 1.0])
def test_a_shadow_that_is_worse_by_the_margin_passes_at_no_look_more_often_than_it_may(
    skew: float,
) -> None:
    rng, streams, people = np.random.default_rng(8), 400, 300
    drawn_SN = (
        rng.gamma(4.0, size=(streams, people)) - 4.0
        if skew
        else rng.normal(0, 2, size=(streams, people))
    )
    worse_SN = LIMIT + math.copysign(1.0, skew) * drawn_SN
    passed = sum(
        any(wealth(worse_N[:n], LIMIT, SIZE) >= 1 / ALPHA for n in range(10, people, 10))
        for worse_N in worse_SN
    )
    # 5 % of 400 and three standard deviations more.
    assert passed <= 20 + 13
    no_worse = sum(wealth(worse_N - LIMIT, LIMIT, SIZE) >= 1 / ALPHA for worse_N in worse_SN)
    assert no_worse > 0.9 * streams


def test_a_difference_of_one_person_counts_up_to_a_range() -> None:
    assert range_of(Metric.MEAN_ABSOLUTE_ERROR, points=15.0, limit=0.5) == 15.5
    assert range_of(Metric.COVERAGE, points=15.0, limit=0.1) == 1
    assert range_of(Metric.CALIBRATION_SLOPE, points=15.0) is None
    assert bounds(np.array([1e6] * 5), SIZE, ALPHA).mean == SIZE
