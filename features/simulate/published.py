"""The published predictor of the Fugl-Meyer endpoint: the five-group mixture, unchanged.

It does not model the spread between patients that the simulator adds, so its error on a simulated
cohort can be compared with the error that its authors report on real patients.

Letters: N subjects, V assessments, P points of the grid (group x initial level), E scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_ndtr, logsumexp
from scipy.stats import norm

from features import published_recovery as published

Array = NDArray[np.float64]

GRID = 201
"""Points of the initial level per group, from -4.5 to 4.5 SD of its logit."""


def published_median(day: Array, score: Array, endpoint_day: float) -> Array:
    """Return the predicted median on the endpoint's day, (N,), inside the scale.

    Parameters
    ----------
    day, score
        Days since onset and scores of the assessments known, (N, V); NaN where there is none.
    endpoint_day
        Days since onset.
    """
    weight_P, start_P, rate_P, time_P = _grid()
    log_NP = np.tile(np.log(weight_P), (len(day), 1))
    for v in range(day.shape[1]):
        level_NP = _level(start_P, rate_P, time_P, day[:, v, None])
        log_NP += np.where(np.isnan(score[:, v, None]), 0, _log_chance(score[:, v, None], level_NP))
    posterior_NP = np.exp(log_NP - logsumexp(log_NP, axis=1, keepdims=True))
    endpoint_P = _level(start_P, rate_P, time_P, np.array(endpoint_day))
    edge_E = np.arange(0, published.BEST_SCORE + 1)
    below_NE = posterior_NP @ norm.cdf((edge_E - endpoint_P[:, None]) / published.NOISE)
    return np.array([np.interp(0.5, below_E, edge_E) for below_E in below_NE])


def _grid() -> tuple[Array, Array, Array, Array]:
    away = np.linspace(-4.5, 4.5, GRID)
    weight = norm.pdf(away) / norm.pdf(away).sum()
    start = np.array(published.START_MEAN)[:, None] + np.outer(published.START_SPREAD, away)
    share, rate, time = (
        np.repeat(np.array(values), GRID)
        for values in (published.SHARE, published.RATE, 7 * np.array(published.TIME_WEEKS))
    )
    weight = share * np.tile(weight, len(published.SHARE))
    return weight, published.BEST_SCORE * expit(start.ravel()), rate, time


def _level(start: Array, rate: Array, time: Array, day: Array) -> Array:
    return np.asarray(start + rate * (published.BEST_SCORE - start) * -np.expm1(-day / time))


def _log_chance(score: Array, level: Array) -> Array:
    """Return log densities of scores whose normal error is cut off at the ends of the scale."""
    away = (score - level) / published.NOISE
    inside = -0.5 * away**2 - np.log(published.NOISE * np.sqrt(2 * np.pi))
    at_end = np.where(score <= 0, log_ndtr(away), log_ndtr(-away))
    return np.asarray(np.where((score <= 0) | (score >= published.BEST_SCORE), at_end, inside))
