from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.twin.sensitivity import (
    STRENGTHS,
    e_value,
    effective_sample_size,
    hidden_shift,
    sensitivity_curve,
)


def test_an_e_value_is_that_of_the_published_formula() -> None:
    """3 points with SE 1 and SD 12, by hand: R = exp(0.2275), its 95 % limit exp(0.0789)."""
    found = e_value(3, 1, 12, level=0.95)
    assert found.estimate == pytest.approx(1.2555 + math.sqrt(1.2555 * 0.2555), abs=5e-4)
    assert found.estimate == pytest.approx(1.82, abs=0.005)
    assert found.limit == pytest.approx(1.38, abs=0.005)
    assert e_value(3, 1, 12, level=0.9).limit == pytest.approx(
        1.108 + math.sqrt(1.108 * 0.108), abs=2e-3
    )
    assert e_value(-3, 1, 12, level=0.95) == found


def test_an_effect_that_may_be_none_needs_no_confounder() -> None:
    assert e_value(1, 1, 12).limit == 1
    assert e_value(0, 0, 12).estimate == 1


@pytest.mark.parametrize("numbers", [(math.nan, 1, 12), (1, -1, 12), (1, 1, 0), (1, math.inf, 1)])
def test_an_e_value_of_no_numbers_is_refused(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="E-value"):
        e_value(*numbers)


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.9])
def test_an_interval_of_no_level_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        e_value(1, 1, 12, level=level)


def test_an_outcome_that_is_missing_makes_no_curve() -> None:
    with pytest.raises(ValueError, match="finite"):
        sensitivity_curve(np.array([1.0, np.nan]), np.array([True, False]), np.full(2, 0.5))


@given(st.floats(0.01, 60), st.floats(0.5, 30))
def test_a_confounder_of_the_e_value_explains_exactly_the_effect(effect: float, sd: float) -> None:
    strength = e_value(effect, 0, sd).estimate
    assert hidden_shift(np.array([strength]), sd)[0] == pytest.approx(effect, rel=1e-6)
    assert hidden_shift(np.array([1.0]), sd)[0] == 0


def test_a_confounder_weaker_than_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        hidden_shift(np.array([0.9]), 1)


def test_bounds_are_those_by_hand() -> None:
    """Even odds: weights of 2 lie between 1.5 and 3 at strength 2.

    Treated 0 and 3: (3 x 0 + 1.5 x 3) / 4.5 = 1 to 9 / 4.5 = 2; the others 0 and 1: 1/3 to 2/3.
    """
    outcome = np.array([0.0, 3, 1, 0])
    treated = np.array([True, True, False, False])
    curve = sensitivity_curve(outcome, treated, np.full(4, 0.5), np.array([1.0, 2]))
    np.testing.assert_allclose(curve.lower_L, [1, 1 - 2 / 3])
    np.testing.assert_allclose(curve.upper_L, [1, 2 - 1 / 3])
    assert curve.reaches(1.0) == pytest.approx(1)
    assert curve.reaches(2 - 1 / 3) == pytest.approx(2)
    assert curve.reaches(1 - 1 / 3) == pytest.approx(1.5)
    assert curve.reaches(0.0) is curve.reaches(2.0) is None


@given(st.integers(0, 2**32 - 1), st.floats(1, 4))
def test_no_choice_of_weights_goes_beyond_the_bounds(seed: int, strength: float) -> None:
    """The extremes of a linear fraction are at corners: all 2^4 of both arms are tried."""
    rng = np.random.default_rng(seed)
    outcome, chance = rng.normal(size=8), rng.uniform(0.05, 0.95, 8)
    treated = np.arange(8) < 4
    curve = sensitivity_curve(outcome, treated, chance, np.array([strength]))
    means = []
    for arm, own in ((treated, chance), (~treated, 1 - chance)):
        ends = [(1 + (1 / e - 1) / strength, 1 + (1 / e - 1) * strength) for e in own[arm]]
        means.append([np.average(outcome[arm], weights=w) for w in product(*ends)])
    assert curve.lower_L[0] == pytest.approx(min(means[0]) - max(means[1]))
    assert curve.upper_L[0] == pytest.approx(max(means[0]) - min(means[1]))


def test_bounds_hold_the_truth_once_the_confounder_is_as_strong_as_it_is() -> None:
    """Simulated: a hidden half of people has odds of treatment of 2 to 1, the other of 1 to 2."""
    rng = np.random.default_rng(3)
    hidden = rng.random(40_000) < 0.5
    treated = rng.random(40_000) < np.where(hidden, 2 / 3, 1 / 3)
    outcome = treated + 3.0 * hidden + rng.normal(size=40_000)
    curve = sensitivity_curve(outcome, treated, np.full(40_000, 0.5))
    assert curve.lower_L[0] == pytest.approx(curve.upper_L[0])
    assert curve.lower_L[0] == pytest.approx(2, abs=0.1)
    assert (np.diff(curve.lower_L) < 0).all()
    assert (np.diff(curve.upper_L) > 0).all()
    first = curve.reaches(1.0)
    assert first is not None
    assert 1.25 < first <= 2
    assert curve.strength_L.tolist() == list(STRENGTHS)


@pytest.mark.parametrize(
    ("treated", "chance", "strength", "named"),
    [
        ([True, True], 0.5, 1, "untreated"),
        ([True, False], 1.0, 1, "between 0 and 1"),
        ([True, False], 0.5, 0.5, "at least 1"),
        ([True, False], 0.5, 3, "rising"),
    ],
)
def test_a_curve_of_impossible_numbers_is_refused(
    treated: list[bool], chance: float, strength: float, named: str
) -> None:
    strengths = np.array([strength, 2])
    with pytest.raises(ValueError, match=named):
        sensitivity_curve(np.ones(2), np.array(treated), np.full(2, chance), strengths)


def test_unequal_weights_count_for_fewer_people() -> None:
    assert effective_sample_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_sample_size(np.array([3.0, 1])) == pytest.approx(1.6)
    assert effective_sample_size(np.zeros(3)) == 0
    with pytest.raises(ValueError, match="at least 0"):
        effective_sample_size(np.array([1.0, -1]))
