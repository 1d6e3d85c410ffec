"""Learns how a patient's scores at several visits hang together (`inference.milestones`).

Letters: B pairs, H horizons, Q quantile levels, M milestones, N answers.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from contracts.sequences import SequenceBatch
from contracts.task import Target, Task
from inference.milestones import (
    USUAL_CORRELATION,
    Array,
    Flags,
    Visits,
    assessed,
    at_least,
    chances,
    distribution,
    reached,
    usual_visits,
)

MOST_CORRELATION = 0.95
FEWEST_PAIRS = 30
"""Pairs of scores without whom the correlation is not learned: its standard error at 0.65 is then
about 0.1 (Fisher 1915)."""

FEWEST_ANSWERS = 30
POOLING = 100
"""A milestone's n answers at a horizon move its correction n / (n + this) of the way from that over
all horizons, as a group's answers move its offsets (`inference.offsets`); n people who answered
move both n / (n + this) of the way from no correction. Answers of a person say much the same, and a
correction that few people ask for costs new ones more than it gains (docs/benchmarks.md)."""

MOST_MOVED = 2.0
"""Largest correction of a chance, on the logit scale: where more is needed, something is wrong."""


def learn_visits(quantiles_BHQ: Array, batch: SequenceBatch, task: Task) -> Visits:
    """Learn from forecasts of people who were not learned from.

    The correlation is that of the normal scores of the outcomes' levels, over all pairs of visits
    of a pair; the corrections bring the sum of the chances toward the number of those who reached
    it, the nearer the more people there are.
    """
    correlation = _correlation(quantiles_BHQ, batch.truth_BH, task.target)
    unmoved = replace(usual_visits(task), correlation=correlation)
    seen_BH, known_B = ~np.isnan(batch.truth_BH), assessed(batch, task)
    stated = chances(
        quantiles_BHQ, batch.last_score_B, task, unmoved, counted_BH=seen_BH, assessed_B=known_B
    )
    was = reached(batch.truth_BH, batch.last_score_B, task, assessed_B=known_B)
    moved = [
        _moved_H(stated[milestone.name], was[milestone.name], seen_BH, batch.subject_B)
        for milestone in task.milestones
    ]
    return replace(unmoved, moved_MH=np.array(moved).reshape(len(moved), seen_BH.shape[1]))


def _moved_H(
    chance_BH: Array, reached_BH: Flags, seen_BH: Flags, subject_B: NDArray[np.int64]
) -> list[float]:
    """Return the corrections of one milestone, at each horizon; certain answers need none."""
    open_BH = seen_BH & (chance_BH > 0) & (chance_BH < 1)
    people = len(np.unique(subject_B[open_BH.any(axis=1)]))
    believed = people / (people + POOLING)
    of_all = _moved(chance_BH[open_BH], reached_BH[open_BH])
    corrections = []
    for h, open_B in enumerate(open_BH.T):
        weight = open_B.sum() / (open_B.sum() + POOLING)
        own = _moved(chance_BH[open_B, h], reached_BH[open_B, h])
        corrections.append(float(believed * (weight * own + (1 - weight) * of_all)))
    return corrections


def _correlation(quantiles_BHQ: Array, truth_BH: NDArray[np.float32], target: Target) -> float:
    level_BH = _levels(quantiles_BHQ, truth_BH, target)
    score_BH = ndtri(level_BH.clip(0.01, 0.99))
    products, squares = [], []
    for first, second in combinations(range(score_BH.shape[1]), 2):
        both_B = np.isfinite(score_BH[:, [first, second]]).all(axis=1)
        one_B, other_B = score_BH[both_B, first], score_BH[both_B, second]
        products.append(one_B * other_B)
        squares.append((one_B**2 + other_B**2) / 2)
    product_N, square_N = (
        np.concatenate(each) if each else np.array([]) for each in (products, squares)
    )
    if len(product_N) < FEWEST_PAIRS or not square_N.sum():
        return USUAL_CORRELATION
    return float(np.clip(product_N.sum() / square_N.sum(), 0.0, MOST_CORRELATION))


def _levels(quantiles_BHQ: Array, truth_BH: NDArray[np.float32], target: Target) -> Array:
    """Return the level of each outcome in its forecast, in the middle of its step; NaN without."""
    level_G, grid_BHG = distribution(quantiles_BHQ, target)
    good_BH = target.direction * truth_BH.astype(np.float64)
    above = [
        np.stack(
            [
                at_least(grid_BHG[:, [h]], level_G, good_B + side * target.step / 2)[:, 0]
                for h, good_B in enumerate(good_BH.T)
            ],
            axis=1,
        )
        for side in (-1, 1)
    ]
    return np.where(np.isnan(good_BH), np.nan, 1 - (above[0] + above[1]) / 2)


def _moved(chance_N: Array, reached_N: Flags) -> float:
    """Return what must be added to the logits of chances so that as many reach it as they say."""
    answers, logit_N = len(chance_N), logit(chance_N)
    if answers < FEWEST_ANSWERS or reached_N.all() or not reached_N.any():
        return 0.0

    def excess(moved: float) -> float:
        return float(expit(logit_N + moved).sum() - reached_N.sum())

    # Here: only training needs it, and a service starts 0.2 s sooner without.
    from scipy.optimize import brentq

    if excess(-MOST_MOVED) >= 0:
        return -MOST_MOVED
    return MOST_MOVED if excess(MOST_MOVED) <= 0 else float(brentq(excess, -MOST_MOVED, MOST_MOVED))
