"""Conformal p-values against their definition, and bets on them against arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from audits.sequential.conformal import (
    AT_ONCE,
    DIRECTIONS,
    SHARES,
    direction_of,
    growth_of,
    p_values,
)
from contracts.evidence.arrivals import ABSENT


def by_definition(level_N: list[int], theta_N: np.ndarray, before: list[int]) -> list[float]:
    found, so_far = [], list(before)
    for level, theta in zip(level_N, theta_N, strict=True):
        if level == ABSENT:
            found.append(np.nan)
            continue
        so_far.append(level)
        lower, equal = sum(x < level for x in so_far), so_far.count(level)
        found.append((lower + theta * equal) / len(so_far))
    return found


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(-1, 4), min_size=2, max_size=2), max_size=150),
    st.lists(st.integers(0, 4), max_size=10),
    st.integers(0, 2**32),
)
def test_p_values_are_the_share_as_low_or_lower_with_chance_between_equals(
    levels: list[list[int]], before: list[int], seed: int
) -> None:
    level_NQ = np.array(levels, dtype=np.int64).reshape(len(levels), 2)
    theta_NQ = np.random.default_rng(seed).random(level_NQ.shape)
    seen_QL = np.array([np.bincount(before, minlength=5), np.zeros(5)], dtype=np.int64)
    p_NQ = p_values(level_NQ, seen_QL, theta_NQ)
    for q, earlier in enumerate((before, [])):
        expected = by_definition(level_NQ[:, q].tolist(), theta_NQ[:, q], earlier)
        np.testing.assert_allclose(p_NQ[:, q], expected)
        counted = [*earlier, *(level for level in level_NQ[:, q].tolist() if level != ABSENT)]
        assert seen_QL[q].tolist() == np.bincount(counted, minlength=5).tolist()


def test_p_values_are_uniform_and_independent_of_the_one_before_also_of_few_levels() -> None:
    rng = np.random.default_rng(3)
    level_NQ = rng.choice(3, (200, 300), p=[0.7, 0.2, 0.1])
    assert len(level_NQ) > AT_ONCE
    p_NQ = p_values(level_NQ, np.zeros((300, 3), dtype=np.int64), rng.random((200, 300)))
    assert stats.kstest(p_NQ[:5].ravel(), "uniform").pvalue > 0.01
    assert stats.kstest(p_NQ.ravel(), "uniform").pvalue > 0.01
    assert abs(np.corrcoef(p_NQ[1:].ravel(), p_NQ[:-1].ravel())[0, 1]) < 0.02
    # Without chance between equals they are not: this can fail.
    late = p_values(level_NQ, np.zeros((300, 3), dtype=np.int64), np.ones((200, 300)))
    assert stats.kstest(late.ravel(), "uniform").pvalue < 1e-6


def test_one_bet_on_one_person_is_arithmetic_and_nobody_adds_nothing() -> None:
    growth_QK = growth_of(np.array([[0.9, np.nan]]))
    # Higher: payoff .8. Further apart: 2 * .8 - 1 = .6.
    payoffs = np.repeat([0.8, -0.8, 0.6, -0.6], len(SHARES))
    assert growth_QK[0] == pytest.approx(np.log1p(payoffs * np.tile(SHARES, 4)))
    assert not growth_QK[1].any()
    assert direction_of(growth_QK[0]) == "higher"


@pytest.mark.parametrize("people", [0, 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE + 7])
def test_people_added_in_parts_are_those_added_at_once_to_the_last_bit(people: int) -> None:
    rng = np.random.default_rng(people)
    p_NQ = rng.random((people, 3))
    p_NQ[rng.random(p_NQ.shape) < 0.3] = np.nan
    high_NQ = np.where(np.isnan(p_NQ), 0.0, 2 * p_NQ - 1)
    apart_NQ = np.where(np.isnan(p_NQ), 0.0, 2 * np.abs(high_NQ) - 1)
    payoff_NQD = np.stack([high_NQ, -high_NQ, apart_NQ, -apart_NQ], axis=2)
    whole_QDS = np.log1p(payoff_NQD[..., None] * SHARES).sum(axis=0)
    assert growth_of(p_NQ).tobytes() == whole_QDS.tobytes()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_direction_is_named(direction: str) -> None:
    rng = np.random.default_rng(4)
    level_N1 = rng.normal(16, 3, (400, 1))
    late = {"higher": level_N1 + 4, "lower": level_N1 - 4}
    middle = 16 + (level_N1 - 16) * (0.3 if direction == "closer together" else 3.0)
    level_N1[200:] = late.get(direction, middle)[200:]
    levels = np.clip(level_N1, 0, 31).astype(np.int64)
    seen = np.zeros((1, 32), dtype=np.int64)
    p_values(levels[:200], seen, rng.random((200, 1)))
    growth_QK = growth_of(p_values(levels[200:], seen, rng.random((200, 1))))
    assert direction_of(growth_QK[0]) == direction
    assert growth_QK[0].max() > 5
