"""What channels gain by themselves, and the one factor of it that they share, before any learning.

Letters: B pairs, T days, C channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WEEK, COURSE_DAYS = 7, 14
"""In so many days a modality's own course gains as many standard deviations as it is large."""


def leading_factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the loadings of the one factor that explains most; of one channel alone, 0.

    They add up to 0 or more: with either sign at random, the mean of networks would have none.
    """
    values, vectors = np.linalg.eigh(covariance)
    others = values[:-1].mean() if len(values) > 1 else values[-1]
    loading = vectors[:, -1] * np.sqrt(max(values[-1] - others, 0))
    return np.asarray(-loading if loading.sum() < 0 else loading)


def slopes(x_BTC: NDArray[np.float64], observed_BTC: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how much each channel gains in `COURSE_DAYS`, (B, C), by least squares.

    NaN where a channel was not observed on two days that are a week apart or more.
    """
    time_T1 = (np.arange(x_BTC.shape[1]) / COURSE_DAYS)[:, None]
    count_BC = np.maximum(observed_BTC.sum(axis=1), 1)
    centred_BTC = time_T1 - ((observed_BTC * time_T1).sum(axis=1) / count_BC)[:, None]
    centred_BTC = centred_BTC * observed_BTC
    spread_BC = (centred_BTC**2).sum(axis=1)
    first_BC = observed_BTC.argmax(axis=1)
    last_BC = x_BTC.shape[1] - 1 - observed_BTC[:, ::-1].argmax(axis=1)
    far_BC = observed_BTC.any(axis=1) & (last_BC - first_BC >= WEEK)
    return np.where(far_BC, (centred_BTC * x_BTC).sum(axis=1) / np.maximum(spread_BC, 1e-9), np.nan)
