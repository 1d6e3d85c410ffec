from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from training.models.layers.channel_courses import COURSE_DAYS, WEEK, leading_factor, slopes

DAYS = 35
VALUES = st.floats(-3, 3, width=32)


@given(
    arrays.arrays(np.float64, (3, DAYS, 2), elements=VALUES),
    arrays.arrays(np.bool_, (3, DAYS, 2)),
)
def test_a_slope_is_that_of_least_squares_over_the_observed_days(
    x_BTC: np.ndarray, observed_BTC: np.ndarray
) -> None:
    found_BC = slopes(np.where(observed_BTC, x_BTC, 0), observed_BTC)

    for pair, channel in np.ndindex(found_BC.shape):
        days = np.flatnonzero(observed_BTC[pair, :, channel])
        if len(days) == 0 or days[-1] - days[0] < WEEK:
            assert np.isnan(found_BC[pair, channel])
        else:
            by_day = np.polyfit(days, x_BTC[pair, days, channel], 1)[0]
            assert found_BC[pair, channel] == pytest.approx(COURSE_DAYS * by_day, abs=1e-7)


@pytest.mark.parametrize("apart", [WEEK - 1, WEEK, WEEK + 1])
def test_two_days_a_week_apart_give_a_slope_on_every_first_day(apart: int) -> None:
    firsts = np.arange(DAYS - apart)
    observed_BTC = np.zeros((len(firsts), DAYS, 1), dtype=bool)
    observed_BTC[firsts, firsts, 0] = observed_BTC[firsts, firsts + apart, 0] = True
    x_BTC = np.zeros(observed_BTC.shape)
    x_BTC[firsts, firsts + apart, 0] = 1.0

    found_B = slopes(x_BTC, observed_BTC)[:, 0]

    expected = COURSE_DAYS / apart if apart >= WEEK else np.nan
    np.testing.assert_allclose(found_B, expected)


@given(arrays.arrays(np.float64, 4, elements=st.floats(-2, 2)), st.floats(0.1, 2))
def test_the_leading_factor_of_one_factor_and_equal_noise_is_that_factor(
    loading: np.ndarray, noise: float
) -> None:
    found = leading_factor(np.outer(loading, loading) + noise * np.eye(4))

    signed = loading if loading.sum() >= 0 else -loading
    np.testing.assert_allclose(np.outer(found, found), np.outer(signed, signed), atol=1e-6)
    assert found.sum() >= -1e-9


def test_one_channel_alone_shares_nothing() -> None:
    assert leading_factor(np.array([[2.0]])).tolist() == [0.0]
