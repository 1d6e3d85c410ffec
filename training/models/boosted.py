"""Gradient-boosted quantiles on summaries of the past, the strong tabular rival.

Letters: B pairs, C channels, F features, H horizons, N = rows with an outcome, Q levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Predict


def boosted_quantiles(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit one boosted tree ensemble per level on the change since the last score.

    The horizon is a feature, so that sparse horizons borrow from the others.
    """
    row, horizon = np.nonzero(~np.isnan(train.truth_BH))
    features_NF = _with_horizon(summaries(train), row, horizon, train)
    change_N = train.truth_BH[row, horizon] - train.last_score_B[row]
    models = [
        HistGradientBoostingRegressor(
            loss="quantile",
            quantile=level,
            max_iter=100,
            learning_rate=0.05,
            max_leaf_nodes=8,
            min_samples_leaf=15,
            l2_regularization=1.0,
            random_state=seed,
        ).fit(features_NF, change_N)
        for level in QUANTILE_LEVELS
    ]

    def predict(batch: SequenceBatch) -> NDArray[np.float64]:
        shape = (len(batch), len(batch.layout.horizon_days_H))
        row, horizon = (index.ravel() for index in np.indices(shape))
        features = _with_horizon(summaries(batch), row, horizon, batch)
        change = np.stack([model.predict(features) for model in models], axis=-1)
        quantiles = batch.last_score_B[row, None] + np.sort(change, axis=-1)
        inside = np.clip(quantiles, task.target.low, task.target.high)
        return np.asarray(inside, dtype=np.float64).reshape(*shape, -1)

    return predict


def summaries(batch: SequenceBatch) -> NDArray[np.float64]:
    """Summarise each past: per channel last value, mean, slope over days and observed days.

    Returns
    -------
    Features of shape (B, F); NaN where a summary has no data, which the trees handle as such.
    """
    values_BTC = np.where(batch.observed_BTC, batch.values_BTC, np.nan)
    count_BC = batch.observed_BTC.sum(axis=1)
    days = batch.values_BTC.shape[1]
    total_BC = np.nansum(values_BTC, axis=1)
    mean_BC = np.divide(total_BC, count_BC, where=count_BC > 0, out=np.full(count_BC.shape, np.nan))
    day_T = np.arange(days, dtype=np.float64)
    centred_BTC = np.where(batch.observed_BTC, day_T[None, :, None], np.nan)
    mean_day_BC = np.divide(
        np.nansum(centred_BTC, axis=1), count_BC, where=count_BC > 0, out=np.zeros(count_BC.shape)
    )
    off_BTC = centred_BTC - mean_day_BC[:, None]
    spread_BC = np.nansum(off_BTC**2, axis=1)
    slope_BC = np.divide(
        np.nansum(off_BTC * values_BTC, axis=1),
        spread_BC,
        where=spread_BC > 0,
        out=np.full(count_BC.shape, np.nan),
    )
    last_T = days - 1 - batch.observed_BTC[:, ::-1].argmax(axis=1)
    last_BC = np.take_along_axis(values_BTC, last_T[:, None], axis=1)[:, 0]
    person_BS = np.where(batch.person_known_BS, batch.person_BS, np.nan)
    onset_B1 = np.log1p(batch.days_since_onset_BT[:, -1:].clip(min=0))
    return np.concatenate(
        [last_BC, mean_BC, slope_BC, count_BC, person_BS, onset_B1], axis=1, dtype=np.float64
    )


def _with_horizon(
    features_BF: NDArray[np.float64],
    row: NDArray[np.int64],
    horizon: NDArray[np.int64],
    batch: SequenceBatch,
) -> NDArray[np.float64]:
    ahead = np.array(batch.layout.horizon_days_H)[horizon] - batch.origin_day_B[row]
    return np.column_stack([features_BF[row], ahead])
