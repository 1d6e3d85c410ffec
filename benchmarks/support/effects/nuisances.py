"""Who was treated, and what comes of it: two models that an effect is estimated with.

Each person is judged by models that never saw their cluster (cross-fitting; Chernozhukov 2018), so
that a flexible model cannot recognise the outcome it was fitted on. Letters: N people, C clusters,
F covariates, A actions (bins of dose and kind).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeCV

from inference.twin.sensitivity import effective_sample_size

Array = NDArray[np.float64]

FOLDS = 5
LEAST_CHANCE = 0.05
"""Below, a treatment was too rare for people like these to be asked about (Crump 2009 trims at 0.1
in general; the smaller bound is a convention)."""
FEWEST = 30
"""Comparable people below which nothing is said."""


@dataclass(frozen=True)
class Nuisances:
    """Out-of-fold chances of being treated, and expected outcomes with each treatment."""

    propensity_N: Array
    untreated_N: Array
    treated_N: Array


def folds(cluster_N: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Return a fold for each person; a cluster is never divided.

    Raises
    ------
    ValueError
        If there are fewer clusters than folds.
    """
    names, index_N = np.unique(cluster_N, return_inverse=True)
    if len(names) < count:
        raise ValueError(f"{len(names)} clusters cannot be divided into {count} folds")
    fold_C = np.random.default_rng(seed).permutation(np.arange(len(names)) % count)
    return np.asarray(fold_C[index_N], dtype=np.int64)


def cross_fit(
    covariates_NF: Array,
    treated_N: NDArray[np.bool_],
    outcome_N: Array,
    cluster_N: NDArray[np.int64],
    *,
    count: int = FOLDS,
    seed: int = 0,
) -> Nuisances:
    """Fit both models without each fold in turn.

    Penalised logistic regression of the treatment; of the outcome, one an arm: logistic where the
    outcome is only 0 or 1, else ridge regression. Covariates have to be complete.

    Raises
    ------
    ValueError
        If there are fewer clusters than folds, or without a fold an arm is empty.
    """
    binary = bool(np.isin(outcome_N, (0, 1)).all())
    covariates_NF = scaled(covariates_NF)
    propensity_N, untreated_N, treated_outcome_N = (np.empty(len(outcome_N)) for _ in range(3))
    for held_N, rest_N in _divided(cluster_N, count, seed):
        chance = _fitted_chance(covariates_NF[rest_N], treated_N[rest_N])
        propensity_N[held_N] = chance.predict_proba(covariates_NF[held_N])[:, 1]
        for arm, into_N in ((False, untreated_N), (True, treated_outcome_N)):
            own_N = rest_N & (treated_N == arm)
            into_N[held_N] = _expected(
                covariates_NF[own_N], outcome_N[own_N], covariates_NF[held_N], binary
            )
    return Nuisances(propensity_N, untreated_N, treated_outcome_N)


def action_chances(
    covariates_NF: Array,
    action_N: NDArray[np.int64],
    cluster_N: NDArray[np.int64],
    actions: int,
    *,
    count: int = FOLDS,
    seed: int = 0,
) -> Array:
    """Return out-of-fold chances of each action, (N, A); 0 for one that nobody else had."""
    covariates_NF = scaled(covariates_NF)
    chance_NA = np.zeros((len(action_N), actions))
    for held_N, rest_N in _divided(cluster_N, count, seed):
        model = _fitted_chance(covariates_NF[rest_N], action_N[rest_N])
        chance_NA[np.ix_(held_N, model.classes_)] = model.predict_proba(covariates_NF[held_N])
    return chance_NA


@dataclass(frozen=True)
class Support:
    """How well one action is supported by who had it."""

    people: int
    """Who had it."""
    comparable: float
    """As many equally weighted people they stand for everybody like (effective sample size)."""
    rare: float
    """Share of everybody for whom it had a chance below `LEAST_CHANCE`."""

    @property
    def supported(self) -> bool:
        """Tell whether an effect of it may be asked for at all."""
        return self.comparable >= FEWEST


def support(chance_NA: Array, action_N: NDArray[np.int64]) -> tuple[Support, ...]:
    """Describe the support of each action, in order, after leaving out whom it was too rare for."""
    found = []
    for action, chance_N in enumerate(chance_NA.T):
        had_N = action_N == action
        usable_N = had_N & (chance_N >= LEAST_CHANCE)
        found.append(
            Support(
                people=int(had_N.sum()),
                comparable=effective_sample_size(1 / chance_N[usable_N]),
                rare=float((chance_N < LEAST_CHANCE).mean()),
            )
        )
    return tuple(found)


def scaled(covariates_NF: Array) -> Array:
    """Return covariates in standard deviations from their mean; a yes or no stays 0 or 1.

    A level that one in thousands has would be a hundred deviations away from all others, and the
    penalty of a regression would not hold it.
    """
    yes_no_F = np.isin(covariates_NF, (0, 1)).all(axis=0)
    sd_F = covariates_NF.std(axis=0)
    centre_F = np.where(yes_no_F, 0, covariates_NF.mean(axis=0))
    return np.asarray((covariates_NF - centre_F) / np.where(yes_no_F | (sd_F == 0), 1, sd_F))


def _divided(
    cluster_N: NDArray[np.int64], count: int, seed: int
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield who is judged and who is learned from, by fold."""
    fold_N = folds(cluster_N, count, seed)
    for fold in range(count):
        yield fold_N == fold, fold_N != fold


def _fitted_chance(covariates_NF: Array, action_N: NDArray[np.generic]) -> LogisticRegression:
    if len(np.unique(action_N)) < 2:
        raise ValueError("without one fold everybody had the same treatment: nothing to compare")
    return LogisticRegression(max_iter=1_000).fit(covariates_NF, action_N)


def _expected(own_NF: Array, outcome_N: Array, asked_NF: Array, binary: bool) -> Array:
    if binary and len(np.unique(outcome_N)) == 1:
        return np.full(len(asked_NF), outcome_N[0])
    if binary:
        model = LogisticRegression(max_iter=1_000)
        return np.asarray(model.fit(own_NF, outcome_N).predict_proba(asked_NF)[:, 1])
    ridge = RidgeCV(np.logspace(-2, 3, 11))
    return np.asarray(ridge.fit(own_NF, outcome_N).predict(asked_NF))
