"""The plainest model of a yes or no: a logistic regression on the inputs of the other models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contracts.sequences import SequenceBatch
from training.models.tabular_features import tabular_features


def logistic(
    train: SequenceBatch, unseen: SequenceBatch, reached_B: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the chances of the better outcome of each unseen pair, (B,).

    Parameters
    ----------
    reached_B
        Which pairs of `train` had it.
    """
    known_F = ~np.isnan(tabular_features(train)).all(axis=0)
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1_000))
    model.fit(tabular_features(train)[:, known_F], reached_B)
    return np.asarray(model.predict_proba(tabular_features(unseen)[:, known_F])[:, 1])
