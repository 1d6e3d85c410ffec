"""The e-process against numbers worked out by hand, and its error under the null in simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.sequential.betting import BETS_K, ONE_START, Starts, e_process, growth

POINTS = np.array([3, -2, 5, 8, -1, 6, 4, 9, 2, 7], dtype=np.float64)
INSIDE = np.array([1, 1, 0, 1, 0, 0, 1, 1, 0, 0], dtype=np.float64)


def e_of(payoff_N: np.ndarray, bound: float) -> float:
    return float(e_process(growth(payoff_N, bound)[None, None, :], ONE_START)[-1, 0])


def test_e_values_are_those_worked_out_by_hand() -> None:
    assert e_of(POINTS, 15.0) == pytest.approx(2.562912272, abs=1e-9)
    assert e_of(0.65 - INSIDE, 0.35) == pytest.approx(1.103021478, abs=1e-9)


def test_one_bet_on_one_person_is_arithmetic() -> None:
    # Bet f, payoff 3 of 15: the wealth grows by f / 5.
    assert e_of(np.array([3.0]), 15.0) == pytest.approx(1 + BETS_K.mean() / 5)


@settings(max_examples=25)
@given(st.permutations(range(10)), st.integers(1, 9))
def test_neither_order_nor_weeks_matter_to_bets_that_began_together(
    order: list[int], cut: int
) -> None:
    shuffled = POINTS[order]
    in_weeks = np.stack([growth(part, 15.0) for part in (shuffled[:cut], shuffled[cut:])])
    e_W = e_process(in_weeks[:, None, :], ONE_START)[:, 0]
    assert e_W[-1] == pytest.approx(e_of(POINTS, 15.0))


def test_what_waits_for_its_start_is_kept() -> None:
    starts = Starts(every_weeks=2, count=2, first_weight=0.5)
    assert starts.weights_J.sum() == pytest.approx(1.0)
    growth_WTK = np.broadcast_to(np.log(2.0), (5, 1, len(BETS_K)))
    # Half bets from the first week on, a quarter from the third and a quarter from the fifth.
    expected = [
        0.5 * 2 + 0.5, 0.5 * 4 + 0.5, 0.5 * 8 + 0.25 * 2 + 0.25, 0.5 * 16 + 0.25 * 4 + 0.25,
        0.5 * 32 + 0.25 * 8 + 0.25 * 2,
    ]  # fmt: skip
    assert e_process(growth_WTK, starts)[:, 0] == pytest.approx(expected)


def test_harm_after_two_good_years_is_found_by_starts_and_never_without() -> None:
    rng = np.random.default_rng(5)
    payoff_WN = np.clip(rng.normal(-4.25, 8, (260, 2)), -15, 15)
    payoff_WN[104:] += 8.5
    growth_WTK = np.stack([growth(payoff_N, 15.0) for payoff_N in payoff_WN])[:, None, :]
    restarted = e_process(growth_WTK, Starts(every_weeks=13, count=20, first_weight=0.3))[:, 0]
    assert restarted[103] < 2
    assert (restarted >= 1_000).any()
    assert not (e_process(growth_WTK, ONE_START)[:, 0] >= 1_000).any()


@pytest.mark.parametrize("payoffs", ["points at the limit", "shares at the limit"])
def test_a_rule_that_is_kept_is_rarely_refuted_at_any_look(payoffs: str) -> None:
    """Over 150 looks, the chance that E ever reaches 20 is at most 1 in 20 (Ville)."""
    rng = np.random.default_rng(11)
    if payoffs == "points at the limit":
        drawn, bound = np.clip(rng.normal(0, 8, (150, 600, 2)), -15, 15), 15.0
    else:
        drawn, bound = 0.65 - (rng.random((150, 600, 2)) < 0.65), 0.35
    growth_WTK = np.log1p(drawn[..., None] / bound * BETS_K).sum(axis=2)
    e_WT = e_process(growth_WTK, Starts(every_weeks=13, count=11, first_weight=0.3))
    refuted = (e_WT.max(axis=0) >= 20).mean()
    assert refuted <= 0.05
    # A bound looked at each week by the usual quantile is not so: this one can fail.
    total_WT = drawn.sum(axis=2).cumsum(axis=0)
    people_W1 = 2.0 * np.arange(1, 151)[:, None]
    naive = (total_WT / (drawn.std() * np.sqrt(people_W1)) > 1.645).any(axis=0).mean()
    assert naive > 0.15
