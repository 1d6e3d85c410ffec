"""Linear mixed effects: a spline in time for all, an intercept and a slope for each subject.

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
        return np.asarray(self.spline.transform(_log_days(days)[:, None]) @ self.slope_F)


def mixed_effects(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit scores on a cubic spline of log days since onset with random intercepts and slopes.

    A new subject's intercept and slope are their conditional means given the past scores, and the
    forecast's spread is the conditional one (Laird and Ware 1982; Selles 2021 forecast the action
    research arm test in this way).
    """
    model = _fit(_scores(train, task))
    target = train.layout.channels_C.index(task.target.code)

    def predict(batch: SequenceBatch) -> Array:
        parts = [_forecast(model, batch, row, target) for row in range(len(batch))]
        return np.clip(np.stack(parts), task.target.low, task.target.high)

    return predict


def _log_days(days: Array) -> Array:
    return np.log1p(np.maximum(days, 0))


def _scores(train: SequenceBatch, task: Task) -> pd.DataFrame:
    """Return each score of the training subjects once, with its days since onset."""
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
    log_days_N = _log_days(scores["days"].to_numpy())
    # Where many scores have the same time, such as that of enrolment, quantiles coincide.
    knots_K = np.unique(np.quantile(log_days_N, np.linspace(0, 1, KNOTS)))
    spline = SplineTransformer(
        knots=knots_K[:, None],
        degree=min(DEGREE, len(knots_K) - 1),
        include_bias=True,
        extrapolation="constant",
    )
    fixed_NF = spline.fit_transform(log_days_N[:, None])
    random_N2 = np.column_stack([np.ones_like(log_days_N), log_days_N])
    # Few distinct times can't determine all coefficients of the spline: only its principal
    # components that they do determine are fitted.
    _, length_F, component_FF = np.linalg.svd(fixed_NF, full_matrices=False)
    component_FK = component_FF[length_F > 1e-6 * length_F[0]].T
    with warnings.catch_warnings():
        # It warns at the boundary of the parameter space (no slopes differ); the fit is valid.
        warnings.simplefilter("ignore")
        fit = MixedLM(
            scores["score"].to_numpy(),
            fixed_NF @ component_FK,
            scores["subject"].to_numpy(),
            random_N2,
        ).fit(reml=True, method=["lbfgs", "bfgs"])
    return _Model(
        spline=spline,
        slope_F=component_FK @ np.asarray(fit.fe_params),
        between_22=np.asarray(fit.cov_re),
        within=float(fit.scale),
    )


def _forecast(model: _Model, batch: SequenceBatch, row: int, target: int) -> Array:
    seen_T = batch.observed_BTC[row, :, target]
    days = batch.days_since_onset_BT[row, seen_T].astype(np.float64)
    score = batch.values_BTC[row, seen_T, target].astype(np.float64)
    ahead = np.array(batch.layout.horizon_days_H) - batch.origin_day_B[row]
    later = batch.days_since_onset_BT[row, -1] + ahead.astype(np.float64)
    past, future = (np.column_stack([np.ones_like(t), _log_days(t)]) for t in (days, later))
    covariance = past @ model.between_22 @ past.T + model.within * np.eye(len(days))
    gain = future @ model.between_22 @ past.T @ np.linalg.inv(covariance)
    mean_H = model.mean(later) + gain @ (score - model.mean(days))
    posterior = future @ model.between_22 @ future.T - gain @ past @ model.between_22 @ future.T
    spread_H = np.sqrt(np.maximum(np.diag(posterior), 0) + model.within)
    return np.asarray(mean_H[:, None] + spread_H[:, None] * norm.ppf(QUANTILE_LEVELS))
