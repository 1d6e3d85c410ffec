from __future__ import annotations

import numpy as np
import pytest

from support.effects.average import average_effect, clustered_mean
from support.effects.nuisances import Nuisances, cross_fit


def test_an_effect_is_that_by_hand() -> None:
    """Expected 1 and 0, even odds: parts 1 + (3 - 1)/.5 = 5, 1 + (1 - 1)/.5 = 1, 1 - (1 - 0)/.5 = -1
    and 1. Their mean is 1.5; squares of 3.5, -.5, -2.5, -.5 add up to 19, SE sqrt(19 x 4/3) / 4.
    """
    outcome, treated = np.array([3.0, 1, 1, 0]), np.array([True, True, False, False])
    nuisances = Nuisances(np.full(4, 0.5), np.zeros(4), np.ones(4))
    found = average_effect(outcome, treated, nuisances, np.arange(4))
    assert found.value == 1.5
    assert found.standard_error == pytest.approx(np.sqrt(19 * 4 / 3) / 4)
    assert found.upper - found.value == pytest.approx(1.6449 * found.standard_error, rel=1e-4)
    # Pairs that are one cluster each: sums of 3 and -3.
    paired = average_effect(outcome, treated, nuisances, np.array([0, 0, 1, 1]))
    assert paired.value == 1.5
    assert paired.standard_error == pytest.approx(np.sqrt(18 * 2) / 4)


def test_either_model_may_be_wrong_but_not_both() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=20_000)
    chance = 1 / (1 + np.exp(-1.5 * x))
    treated = rng.random(20_000) < chance
    outcome = 2 * x + treated + rng.normal(size=20_000)
    who = np.arange(20_000)
    flat, even = np.zeros(20_000), np.full(20_000, treated.mean())

    def found(propensity: np.ndarray, untreated: np.ndarray) -> float:
        return average_effect(
            outcome, treated, Nuisances(propensity, untreated, untreated + (untreated != 0)), who
        ).value

    assert found(chance, flat) == pytest.approx(1, abs=0.15)
    assert found(even, 2 * x) == pytest.approx(1, abs=0.05)
    assert found(even, flat) > 2


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """SIMULATED: 100 samples of 400 confounded people, with fitted models."""
    rng = np.random.default_rng(5)
    held, naive = [], []
    for _ in range(100):
        x = rng.normal(size=(400, 1))
        treated = rng.random(400) < 1 / (1 + np.exp(-x[:, 0]))
        outcome = 2 * x[:, 0] + treated + rng.normal(size=400)
        fitted = cross_fit(x, treated, outcome, np.arange(400), count=2)
        found = average_effect(outcome, treated, fitted, np.arange(400))
        held.append(found.lower <= 1 <= found.upper)
        naive.append(outcome[treated].mean() - outcome[~treated].mean())
    assert 0.84 <= np.mean(held) <= 0.96
    assert np.mean(naive) > 2


def test_clusters_that_are_alike_leave_fewer_people_to_learn_of() -> None:
    part = np.repeat(np.random.default_rng(0).normal(size=50), 4)
    alone = clustered_mean(part, np.arange(200), 0.9)
    grouped = clustered_mean(part, np.repeat(np.arange(50), 4), 0.9)
    assert grouped.standard_error == pytest.approx(2 * alone.standard_error, rel=0.02)


def test_certain_treatment_and_a_single_cluster_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        average_effect(
            np.zeros(2), np.array([True, False]), Nuisances(np.ones(2), np.zeros(2), np.zeros(2)),
            np.arange(2),
        )  # fmt: skip
    with pytest.raises(ValueError, match="two independent"):
        clustered_mean(np.ones(3), np.zeros(3, dtype=np.int64), 0.9)
