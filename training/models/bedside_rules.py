"""Bedside rules: last observation and proportional recovery, with empirical intervals.

Proportional recovery was published of the arm after stroke. Of another condition the same form,
fitted to its own people, is a simple rule that a model has to beat, and nobody's finding.

Letters: B pairs, H horizons, Q quantile levels, N training rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Predict

MINIMUM_RESIDUALS = 10
"""With fewer residuals at a horizon, the residuals of all horizons are used."""


def last_observation(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Forecast that the score does not change, with the spread of the changes in training."""
    return _with_residuals(train, task, lambda batch: _repeat(batch.last_score_B, train))


def proportional_recovery(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Forecast a gain proportional to the impairment: last + slope * (best - last).

    Source: Prabhakaran 2008, Winters 2015, with slope 0.70 in the first days after stroke. Here
    the slope is instead fitted per horizon by least absolute error on the training pairs, within
    [0, 1], because cohorts enrol from days to years after onset. This makes it a stronger
    comparator than the rule as published.
    """
    impairment_B = task.target.best - train.last_score_B
    slope_H = np.array(
        [
            _least_absolute_slope(impairment_B, train.truth_BH[:, h] - train.last_score_B)
            for h in range(train.truth_BH.shape[1])
        ]
    )

    def centre(batch: SequenceBatch) -> NDArray[np.float64]:
        last_B = batch.last_score_B[:, None]
        return np.asarray(last_B + slope_H * (task.target.best - last_B), dtype=np.float64)

    return _with_residuals(train, task, centre)


def _repeat(score_B: NDArray[np.float32], train: SequenceBatch) -> NDArray[np.float64]:
    return np.repeat(score_B[:, None].astype(np.float64), train.truth_BH.shape[1], axis=1)


def _least_absolute_slope(x_B: NDArray[np.float32], y_B: NDArray[np.float32]) -> float:
    known = ~np.isnan(x_B) & ~np.isnan(y_B)
    if not known.any():
        return 0.0
    loss = lambda slope: float(np.abs(y_B[known] - slope * x_B[known]).mean())  # noqa: E731
    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x)


def _with_residuals(
    train: SequenceBatch, task: Task, centre: Callable[[SequenceBatch], NDArray[np.float64]]
) -> Predict:
    """Add the quantiles of the training residuals to a rule's point forecast, per horizon."""
    residual_BH = train.truth_BH - centre(train)
    spread_HQ = np.stack([_residual_quantiles(residual_BH, h) for h in range(residual_BH.shape[1])])

    def predict(batch: SequenceBatch) -> NDArray[np.float64]:
        quantiles_BHQ = centre(batch)[:, :, None] + spread_HQ
        return np.clip(quantiles_BHQ, task.target.low, task.target.high)

    return predict


def _residual_quantiles(residual_BH: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    at_horizon = residual_BH[:, horizon]
    at_horizon = at_horizon[~np.isnan(at_horizon)]
    at_all = residual_BH[~np.isnan(residual_BH)]
    residuals = at_horizon if len(at_horizon) >= MINIMUM_RESIDUALS else at_all
    return np.asarray(np.quantile(residuals, QUANTILE_LEVELS))
