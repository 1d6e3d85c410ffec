"""The average effect of a treatment, doubly robust, with an interval for people in clusters.

Letters: N people, C clusters (patients, hospitals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from support.effects.nuisances import Nuisances

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and interval."""

    value: float
    standard_error: float
    lower: float
    upper: float


def average_effect(
    outcome_N: Array,
    treated_N: NDArray[np.bool_],
    nuisances: Nuisances,
    cluster_N: NDArray[np.int64],
    level: float = 0.9,
) -> Estimate:
    """Return the average effect by augmented inverse propensity weighting (Robins 1994).

    Of each person the difference of both expected outcomes, and for the arm they had, what came
    beyond what was expected, over its chance. The mean is right where either model is; no hidden
    confounder is assumed.

    Raises
    ------
    ValueError
        If a propensity is 0 or 1.
    """
    chance_N = nuisances.propensity_N
    if not ((chance_N > 0) & (chance_N < 1)).all():
        raise ValueError("a propensity is 0 or 1: leave those people out and say so")
    surprise_N = np.where(
        treated_N,
        (outcome_N - nuisances.treated_N) / chance_N,
        (nuisances.untreated_N - outcome_N) / (1 - chance_N),
    )
    part_N = nuisances.treated_N - nuisances.untreated_N + surprise_N
    return clustered_mean(part_N, cluster_N, level)


def clustered_mean(part_N: Array, cluster_N: NDArray[np.int64], level: float) -> Estimate:
    """Return the mean of parts and its normal interval, where clusters are independent.

    The standard error is that of sums by cluster of what differs from the mean (Liang & Zeger
    1986), times C / (C - 1).

    Raises
    ------
    ValueError
        If there are fewer than two clusters.
    """
    sum_C, size_C = by_cluster(part_N, cluster_N)
    value, error = (float(x) for x in ratio_and_error(sum_C, size_C))
    reach = float(ndtri((1 + level) / 2)) * error
    return Estimate(value, error, value - reach, value + reach)


def by_cluster(part_N: Array, cluster_N: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the sum of parts and the number of people of each cluster."""
    index_N = np.unique(cluster_N, return_inverse=True)[1]
    size_C = np.bincount(index_N).astype(np.float64)
    if len(size_C) < 2:
        raise ValueError("an interval needs at least two independent clusters")
    sum_C = np.asarray(np.bincount(index_N, weights=part_N), dtype=np.float64)
    return sum_C, size_C


def ratio_and_error(sum_RC: Array, size_RC: Array) -> tuple[Array, Array]:
    """Return means of clusters together and their standard errors, of each of R draws."""
    value_R = sum_RC.sum(axis=-1) / size_RC.sum(axis=-1)
    count = sum_RC.shape[-1]
    square_R = np.square(sum_RC - value_R[..., None] * size_RC).sum(axis=-1)
    return value_R, np.sqrt(square_R * count / (count - 1)) / size_RC.sum(axis=-1)
