"""The plainest model of a score: a ridge regression of its change, and how far it was wrong before.

Letters: B pairs, F features, H horizons, N rows with an outcome, Q quantile levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Predict
from training.models.boosted import with_horizon
from training.models.tabular_features import tabular_features

PENALTIES = tuple(np.logspace(0, 5, 11))


def ridge(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit the change since the last score; ranges are the errors on people left out of a fit.

    With the largest penalty the change is the same for everybody: inputs that tell nothing cost
    little.
    """
    row, horizon = np.nonzero(~np.isnan(train.truth_BH))
    features_NF = with_horizon(tabular_features(train), row, horizon, train)
    known_F = ~np.isnan(features_NF).all(axis=0)
    change_N = (train.truth_BH[row, horizon] - train.last_score_B[row]).astype(np.float64)
    model = make_pipeline(SimpleImputer(), StandardScaler(), RidgeCV(PENALTIES))
    people_N = train.subject_B[row]
    folds = GroupKFold(min(5, len(np.unique(people_N))), shuffle=True, random_state=seed)
    left_out_N = cross_val_predict(
        model, features_NF[:, known_F], change_N, cv=folds, groups=people_N
    )
    error_Q = np.quantile(change_N - left_out_N, QUANTILE_LEVELS)
    model.fit(features_NF[:, known_F], change_N)

    def predict(batch: SequenceBatch) -> NDArray[np.float64]:
        shape = (len(batch), len(batch.layout.horizon_days_H))
        row, horizon = (index.ravel() for index in np.indices(shape))
        features = with_horizon(tabular_features(batch), row, horizon, batch)
        score_N = batch.last_score_B[row] + model.predict(features[:, known_F])
        inside = np.clip(score_N[:, None] + error_Q, task.target.low, task.target.high)
        return np.asarray(inside, dtype=np.float64).reshape(*shape, -1)

    return predict
