"""A random forest on tabular features of the past, the comparator that clinical papers report.

Letters: B pairs, F features, H horizons, N = rows with an outcome, Q quantile levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from quantile_forest import RandomForestQuantileRegressor

from contracts.forecast import MEDIAN, QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Predict
from training.models.boosted import with_horizon
from training.models.tabular_features import tabular_features

TREES = 200

MINIMUM_OUTCOMES = 20
"""A horizon with fewer outcomes is forecast by a forest on the outcomes of all horizons."""

MISSING = -1e6
"""Replaces a missing feature: below every value, so that a tree can separate it by one split."""


def random_forest(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit one quantile regression forest per horizon on the change since the last score.

    Source: Meinshausen 2006. The quantiles are shifted so that the forest's mean is their centre:
    on the real stroke cohort the error of the mean is 0.1 to 0.8 points smaller than that of the
    forest's own median, and a comparator should be as strong as possible.
    """
    row, horizon = np.nonzero(~np.isnan(train.truth_BH))
    features_NF = _features(train, row, horizon)
    change_N = train.truth_BH[row, horizon] - train.last_score_B[row]
    forests = []
    for h in range(train.truth_BH.shape[1]):
        at_horizon_N = horizon == h
        enough = at_horizon_N.sum() >= MINIMUM_OUTCOMES
        rows_N = at_horizon_N if enough else np.ones_like(at_horizon_N)
        forest = RandomForestQuantileRegressor(TREES, max_samples_leaf=None, random_state=seed)
        forests.append(forest.fit(features_NF[rows_N], change_N[rows_N]))

    def predict(batch: SequenceBatch) -> NDArray[np.float64]:
        rows = np.arange(len(batch))
        change_BHQ = np.stack(
            [
                _quantiles(forest, _features(batch, rows, np.full(len(batch), h)))
                for h, forest in enumerate(forests)
            ],
            axis=1,
        )
        score_BHQ = batch.last_score_B[:, None, None] + change_BHQ
        return np.asarray(np.clip(score_BHQ, task.target.low, task.target.high), dtype=np.float64)

    return predict


def _features(
    batch: SequenceBatch, row: NDArray[np.int64], horizon: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.nan_to_num(with_horizon(tabular_features(batch), row, horizon, batch), nan=MISSING)


def _quantiles(
    forest: RandomForestQuantileRegressor, features_NF: NDArray[np.float64]
) -> NDArray[np.float64]:
    quantiles_NQ = forest.predict(features_NF, quantiles=list(QUANTILE_LEVELS))
    mean_N = forest.predict(features_NF, quantiles="mean")
    return np.asarray(quantiles_NQ + (mean_N - quantiles_NQ[:, MEDIAN])[:, None])
