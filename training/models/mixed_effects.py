"""Linear mixed effects: a spline in time for everybody, an intercept and a slope for each.

Letters: B pairs, T days, N scores of the training subjects, F spline features, H horizons,
Q quantile levels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.preprocessing import SplineTransformer
from statsmodels.regression.mixed_linear_model import MixedLM

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Predict

KNOTS, DEGREE = 5, 3

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    spline: SplineTransformer
    slope_F: Array
    between_22: Array
    within: float

    def mean(self, days: Array) -> Array:
        return np.asarray(self.spline.transform(_clock(days)[:, None]) @ self.slope_F)


def mixed_effects(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit scores on a cubic spline of log days since onset with random intercepts and slopes.

    A new subject's own intercept and slope are their conditional mean given the past scores, and
    the forecast's spread is the conditional one (Laird and Ware 1982; as Selles 2021 forecast the
    action research arm test).
    """
    model = _fit(_scores(train, task))
    target = train.layout.channels_C.index(task.target.code)

    def predict(batch: SequenceBatch) -> Array:
        parts = [_forecast(model, batch, row, target) for row in range(len(batch))]
        return np.clip(np.stack(parts), task.target.low, task.target.high)

    return predict


def _clock(days: Array) -> Array:
    return np.log1p(np.maximum(days, 0))


def _scores(train: SequenceBatch, task: Task) -> pd.DataFrame:
    """Return every score of the training subjects once, with its days since onset."""
    target = train.layout.channels_C.index(task.target.code)
    pair, day = np.nonzero(train.observed_BTC[:, :, target])
    row, horizon = np.nonzero(~np.isnan(train.truth_BH))
    ahead = np.array(train.layout.horizon_days_H)[horizon] - train.origin_day_B[row]
    table = pd.DataFrame(
        {
            "subject": np.concatenate([train.subject_B[pair], train.subject_B[row]]),
            "days": np.concatenate(
                [train.days_since_onset_BT[pair, day], train.days_since_onset_BT[row, -1] + ahead]
            ),
            "score": np.concatenate(
                [train.values_BTC[pair, day, target], train.truth_BH[row, horizon]]
            ),
        }
    ).astype({"days": np.float64, "score": np.float64})
    return table.drop_duplicates(["subject", "days"])


def _fit(scores: pd.DataFrame) -> _Model:
    clock_N = _clock(scores["days"].to_numpy())
    # Where many scores share a time, such as that of enrolment, quantiles fall together.
    knots_K = np.unique(np.quantile(clock_N, np.linspace(0, 1, KNOTS)))
    spline = SplineTransformer(
        knots=knots_K[:, None],
        degree=min(DEGREE, len(knots_K) - 1),
        include_bias=True,
        extrapolation="constant",
    )
    fixed_NF = spline.fit_transform(clock_N[:, None])
    random_N2 = np.column_stack([np.ones_like(clock_N), clock_N])
    # Few distinct times determine fewer shapes than the spline has: only those are fitted.
    _, length_F, shape_FF = np.linalg.svd(fixed_NF, full_matrices=False)
    shape_FK = shape_FF[length_F > 1e-6 * length_F[0]].T
    with warnings.catch_warnings():
        # On the edge of the parameter space (no slopes differ) it warns and its answer stands.
        warnings.simplefilter("ignore")
        found = MixedLM(
            scores["score"].to_numpy(),
            fixed_NF @ shape_FK,
            scores["subject"].to_numpy(),
            random_N2,
        ).fit(reml=True, method=["lbfgs", "bfgs"])
    return _Model(
        spline=spline,
        slope_F=shape_FK @ np.asarray(found.fe_params),
        between_22=np.asarray(found.cov_re),
        within=float(found.scale),
    )


def _forecast(model: _Model, batch: SequenceBatch, row: int, target: int) -> Array:
    seen_T = batch.observed_BTC[row, :, target]
    days = batch.days_since_onset_BT[row, seen_T].astype(np.float64)
    score = batch.values_BTC[row, seen_T, target].astype(np.float64)
    ahead = np.array(batch.layout.horizon_days_H) - batch.origin_day_B[row]
    later = batch.days_since_onset_BT[row, -1] + ahead.astype(np.float64)
    past, future = (np.column_stack([np.ones_like(t), _clock(t)]) for t in (days, later))
    covariance = past @ model.between_22 @ past.T + model.within * np.eye(len(days))
    gain = future @ model.between_22 @ past.T @ np.linalg.inv(covariance)
    mean_H = model.mean(later) + gain @ (score - model.mean(days))
    left = future @ model.between_22 @ future.T - gain @ past @ model.between_22 @ future.T
    spread_H = np.sqrt(np.maximum(np.diag(left), 0) + model.within)
    return np.asarray(mean_H[:, None] + spread_H[:, None] * norm.ppf(QUANTILE_LEVELS))
