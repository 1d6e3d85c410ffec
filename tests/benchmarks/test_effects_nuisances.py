from __future__ import annotations

import numpy as np
import pytest

from support.effects.nuisances import FEWEST, action_chances, cross_fit, folds, support


def test_a_cluster_is_never_divided_and_folds_are_as_large_as_each_other() -> None:
    cluster = np.repeat(np.arange(20), 3)
    fold = folds(cluster, 5, seed=0)
    assert all(len(set(fold[cluster == c])) == 1 for c in range(20))
    assert np.bincount(fold).tolist() == [12] * 5
    with pytest.raises(ValueError, match="3 clusters"):
        folds(np.arange(3), 5, seed=0)


def test_nobody_is_judged_by_a_model_that_saw_their_outcome() -> None:
    """Whatever becomes of one cluster, what is expected of it stays; of others it changes."""
    rng = np.random.default_rng(0)
    covariates, treated = rng.normal(size=(200, 2)), rng.random(200) < 0.5
    outcome, cluster = rng.normal(size=200), np.arange(200) // 4
    before = cross_fit(covariates, treated, outcome, cluster)
    own = cluster == 7
    after = cross_fit(covariates, treated, np.where(own, 1e3, outcome), cluster)
    np.testing.assert_array_equal(before.treated_N[own], after.treated_N[own])
    np.testing.assert_array_equal(before.untreated_N[own], after.untreated_N[own])
    assert (before.treated_N != after.treated_N).mean() > 0.3


def test_an_arm_that_is_empty_without_a_fold_is_refused() -> None:
    treated = np.array([True, *[False] * 9])
    with pytest.raises(ValueError, match="same treatment"):
        cross_fit(np.arange(10.0)[:, None], treated, np.zeros(10), np.arange(10))


def test_chances_and_expectations_find_a_known_law() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6_000, 1))
    chance = 1 / (1 + np.exp(-x[:, 0]))
    treated = rng.random(6_000) < chance
    outcome = 2 * x[:, 0] + 3 * treated + rng.normal(size=6_000)
    found = cross_fit(x, treated, outcome, np.arange(6_000))
    assert np.abs(found.propensity_N - chance).mean() < 0.02
    assert np.abs(found.treated_N - (2 * x[:, 0] + 3)).mean() < 0.1
    assert np.abs(found.untreated_N - 2 * x[:, 0]).mean() < 0.1


def test_whom_a_rare_level_sets_apart_is_not_certain_to_be_treated() -> None:
    """Ten of thousands, all of whom were treated: their next has no chance of almost 1."""
    rng = np.random.default_rng(4)
    rare = (np.arange(6_000) < 10).astype(float)
    treated = (rng.random(6_000) < 0.5) | (rare > 0)
    covariates = np.stack([rare, rng.normal(size=6_000)], axis=1)
    found = cross_fit(covariates, treated, rng.normal(size=6_000), np.arange(6_000))
    assert found.propensity_N[:10].min() > 0.5
    assert found.propensity_N.max() < 0.95


def test_an_action_that_only_some_could_have_is_counted_as_rare() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3_000, 1))
    action = np.where(rng.random(3_000) < 0.5, 0, np.where(x[:, 0] > 1.3, 2, 1))
    chances = action_chances(x, action, np.arange(3_000), 4)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    always, _, some, never = support(chances, action)
    assert always.supported
    assert always.rare < 0.02
    assert some.rare > 0.5
    assert never.people == never.comparable == 0
    assert not never.supported
    few = support(np.full((FEWEST - 1, 1), 0.5), np.zeros(FEWEST - 1, dtype=np.int64))
    assert not few[0].supported
