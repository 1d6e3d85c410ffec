"""Gradient-boosted quantiles on tabular features of the past, a strong comparator.

Letters: B pairs, C channels, F features, H horizons, N = rows with an outcome, Q levels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from sklearn._loss.loss import PinballLoss
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Predict
from training.models.tabular_features import tabular_features

TREES = 100
"""Of each level's ensemble."""

MANY_ROWS = 50_000
"""From here on more threads than one help. Below, each of thousands of small steps would wait for
the slowest thread: on busy cores 150 people took a quarter of an hour instead of 20 s."""


class LeafQuantile(PinballLoss):  # type: ignore[misc]
    """The library's pinball loss, whose quantile of a leaf is found in a tenth of the time.

    The library asks `numpy.percentile` for the value of each of 80,000 leaves of a cross-fit, and
    waited half of a fit for what that does to a few numbers before it looks at them. The library's
    module is private: where a release moves it, `loss="quantile"` fits the same, and takes longer.
    """

    def fit_intercept_only(
        self, y_true: NDArray[np.float64], sample_weight: NDArray[np.float64] | None = None
    ) -> np.float64:
        """Return the quantile of some numbers, to the bit that of `numpy.percentile`.

        Linear between the two numbers beside it (Hyndman and Fan 1996, definition 7).
        """
        if sample_weight is not None:
            return np.float64(super().fit_intercept_only(y_true, sample_weight))
        # By hundred and back, as the library hands it to numpy, which rounds it.
        place = (len(y_true) - 1) * (100 * self.closs.quantile / 100)
        below = math.floor(place)
        above = min(below + 1, len(y_true) - 1)
        parted = np.partition(y_true, (below, above))
        low, high, share = parted[below], parted[above], place - below
        # From the nearer number.
        if share < 0.5:
            return np.float64(low + (high - low) * share)
        return np.float64(high - (high - low) * (1 - share))


def boosted_quantiles(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit one boosted tree ensemble per level on the change since the last score.

    The horizon is a feature, so that sparse horizons borrow from the others.
    """
    row, horizon = np.nonzero(~np.isnan(train.truth_BH))
    features_NF = with_horizon(tabular_features(train), row, horizon, train)
    # The library can't bin a feature that no pair has.
    filled_F = ~np.isnan(features_NF).all(axis=0)
    change_N = train.truth_BH[row, horizon] - train.last_score_B[row]
    with _threads(len(change_N)):
        models = [
            HistGradientBoostingRegressor(
                loss=LeafQuantile(quantile=level),
                max_iter=TREES,
                learning_rate=0.05,
                max_leaf_nodes=8,
                min_samples_leaf=15,
                l2_regularization=1.0,
                random_state=seed,
            ).fit(features_NF[:, filled_F], change_N)
            for level in QUANTILE_LEVELS
        ]

    def predict(batch: SequenceBatch) -> NDArray[np.float64]:
        shape = (len(batch), len(batch.layout.horizon_days_H))
        row, horizon = (index.ravel() for index in np.indices(shape))
        features = with_horizon(tabular_features(batch), row, horizon, batch)
        with _threads(len(features)):
            each = [model.predict(features[:, filled_F]) for model in models]
        change = np.stack(each, axis=-1)
        quantiles = batch.last_score_B[row, None] + np.sort(change, axis=-1)
        inside = np.clip(quantiles, task.target.low, task.target.high)
        return np.asarray(inside, dtype=np.float64).reshape(*shape, -1)

    return predict


def _threads(rows: int) -> threadpool_limits:
    return threadpool_limits(None if rows >= MANY_ROWS else 1, user_api="openmp")


def with_horizon(
    features_BF: NDArray[np.float64],
    row: NDArray[np.int64],
    horizon: NDArray[np.int64],
    batch: SequenceBatch,
) -> NDArray[np.float64]:
    """Return the features of some rows, with the days to the horizon as one more, (N, F + 1)."""
    ahead = np.array(batch.layout.horizon_days_H)[horizon] - batch.origin_day_B[row]
    return np.column_stack([features_BF[row], ahead])
