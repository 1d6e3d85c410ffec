"""Kernel regression: the change that patients with similar scores had, weighted by similarity.

Letters: B pairs, H horizons, N = rows with an outcome, R rows to forecast, F features, Q levels.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Predict
from training.models.rivals.trajectories import a_sample, past_scores
from training.models.rivals.tuning import chosen

Array = NDArray[np.float64]
Bandwidths = tuple[float, float]

BANDWIDTHS: tuple[Bandwidths, ...] = tuple(
    (score, time) for score in (0.05, 0.1, 0.2, 0.4) for time in (0.25, 0.5, 1.0)
)
"""Of scores, as a share of the scale, and of the log of days."""

MOST_SUBJECTS = 3_000
"""Whose changes are looked at: the work grows with their square."""

ROWS_AT_ONCE = 256


def kernel_regression(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Forecast the weighted empirical distribution of the change, by scores and time since onset.

    The kernel is Gaussian in the last score, the mean of the earlier ones, and the logs of the
    days since onset and of those to the horizon (Nadaraya 1964, Watson 1964; as a distribution
    Hall, Wolff and Yao 1999). Its two bandwidths are chosen in folds by subject.
    """
    settings = [(widths, partial(_with, widths)) for widths in BANDWIDTHS]
    return _with(chosen(settings, train, task, seed=seed), train, task, seed=seed)


def _with(widths: Bandwidths, train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    some = train.take(a_sample(train.subject_B, MOST_SUBJECTS, seed=seed))
    pair, horizon = np.nonzero(~np.isnan(some.truth_BH))
    change_N = (some.truth_BH[pair, horizon] - some.last_score_B[pair]).astype(np.float64)
    features_NF = _features(some, task, widths)[pair, horizon]
    # Sorted by what does not depend on the order of the subjects, also among equal changes.
    order_N = np.lexsort((*features_NF.T, change_N))
    change_N, features_NF = change_N[order_N], features_NF[order_N]

    def predict(batch: SequenceBatch) -> Array:
        features_RF = _features(batch, task, widths).reshape(-1, features_NF.shape[1])
        blocks = np.array_split(features_RF, len(features_RF) // ROWS_AT_ONCE + 1)
        change_RQ = np.concatenate([_changes(rows, features_NF, change_N) for rows in blocks])
        change_BHQ = change_RQ.reshape(*batch.truth_BH.shape, -1)
        score_BHQ = batch.last_score_B[:, None, None] + change_BHQ
        return np.asarray(np.clip(score_BHQ, task.target.low, task.target.high))

    return predict


def _features(batch: SequenceBatch, task: Task, widths: Bandwidths) -> Array:
    """Return what is compared, each in bandwidths, (B, H, F)."""
    score_width, time_width = widths
    last_B = batch.last_score_B.astype(np.float64)
    past = past_scores(batch, [batch.layout.channels_C.index(task.target.code)])
    count_B = np.bincount(past.row_N, minlength=len(batch))
    total_B = np.bincount(past.row_N, weights=past.value_N, minlength=len(batch))
    earlier_B = np.where(count_B > 1, (total_B - last_B) / np.maximum(count_B - 1, 1), last_B)
    points = score_width * (task.target.high - task.target.low)
    ahead_BH = np.array(batch.layout.horizon_days_H) - batch.origin_day_B[:, None]
    of_pair_BF = np.stack(
        [
            last_B / points,
            earlier_B / points,
            np.log1p(batch.days_since_onset_BT[:, -1].clip(min=0)) / time_width,
        ],
        axis=-1,
    )
    ahead_BH1 = np.log1p(ahead_BH.clip(min=0))[..., None] / time_width
    shape = (*ahead_BH.shape, of_pair_BF.shape[1])
    return np.concatenate([np.broadcast_to(of_pair_BF[:, None], shape), ahead_BH1], axis=-1)


def _changes(features_RF: Array, features_NF: Array, change_N: Array) -> Array:
    """Return the quantiles of the weighted changes, (R, Q)."""
    # |r - n|^2 = |r|^2 - 2 r n + |n|^2, whose first term is the same for all n.
    square_RN = (features_NF**2).sum(axis=1) - 2 * features_RF @ features_NF.T
    # Far from everybody only the nearest count: their weights are relative to each other.
    weight_RN = np.exp(-0.5 * (square_RN - square_RN.min(axis=1, keepdims=True)))
    below_RN = np.cumsum(weight_RN, axis=1) - weight_RN / 2
    below_RN /= weight_RN.sum(axis=1, keepdims=True)
    return np.stack([np.interp(QUANTILE_LEVELS, below_N, change_N) for below_N in below_RN])
