"""A stack: the average of several families' quantiles, weighted by their out-of-fold CRPS.

Letters: B pairs, H horizons, Q quantile levels, K families.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Fit, Predict
from training.split import fold_of_rows, fold_of_subjects

INNER_FOLDS = 3


def stack(bases: Mapping[str, Fit]) -> Fit:
    """Return the stack of some families as a family.

    The weights are not negative, sum to 1, and minimise the CRPS of the averaged quantile
    functions (Vincentization; Ratcliff 1979) on out-of-fold forecasts of the training pairs. Then
    every family is fitted again on all pairs.
    """

    def fit(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
        unseen_KBHQ = np.stack(
            [
                out_of_fold(base, train, task, folds=INNER_FOLDS, seed=seed)
                for base in bases.values()
            ]
        )
        weight_K = crps_weights(unseen_KBHQ, train.truth_BH)
        weighted = [
            (base(train, task, seed=seed), weight)
            for base, weight in zip(bases.values(), weight_K, strict=True)
            if weight > 0
        ]

        def predict(batch: SequenceBatch) -> NDArray[np.float64]:
            parts = [weight * predict_base(batch) for predict_base, weight in weighted]
            return np.asarray(np.sum(parts, axis=0), dtype=np.float64)

        return predict

    return fit


def out_of_fold(
    fit: Fit, batch: SequenceBatch, task: Task, folds: int, *, seed: int
) -> NDArray[np.float64]:
    """Return a family's forecasts (B, H, Q), each by a fit without the pair's subject."""
    fold_B = fold_of_rows(batch.subject_B, fold_of_subjects(batch.subject_B, folds, 0.0, seed=seed))
    quantiles_BHQ = np.empty((*batch.truth_BH.shape, len(QUANTILE_LEVELS)))
    for fold in range(folds):
        predict = fit(batch.take(fold_B != fold), task, seed=seed)
        quantiles_BHQ[fold_B == fold] = predict(batch.take(fold_B == fold))
    return quantiles_BHQ


def crps_weights(
    quantiles_KBHQ: NDArray[np.float64], truth_BH: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the weights (K,) with the lowest mean pinball loss; those below 1 % are set to 0."""
    seen_BH = ~np.isnan(truth_BH)
    quantiles_KNQ = quantiles_KBHQ[:, seen_BH]
    truth_N1 = truth_BH[seen_BH][:, None].astype(np.float64)
    level_Q = np.array(QUANTILE_LEVELS)
    families = len(quantiles_KNQ)

    def loss(weight_K: NDArray[np.float64]) -> float:
        miss_NQ = truth_N1 - np.tensordot(weight_K, quantiles_KNQ, axes=1)
        return float(np.maximum(level_Q * miss_NQ, (level_Q - 1) * miss_NQ).mean())

    optimum = minimize(
        loss,
        np.full(families, 1 / families),
        method="SLSQP",
        bounds=[(0.0, 1.0)] * families,
        constraints={"type": "eq", "fun": lambda weight_K: weight_K.sum() - 1},
    )
    weight_K = np.where(optimum.x < 0.01, 0.0, optimum.x)
    return np.asarray(weight_K / weight_K.sum())
