"""Which records are unlike all that the model was trained on: they get no forecast.

Letters: B pairs, T days of the past, C channels, S person covariates, F features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from contracts.sequences import Layout, SequenceBatch

SHRINKAGE = 0.3
"""How far correlations are shrunk toward zero: many pairs of channels are observed together in only
a few people."""

REFUSED_SHARE = 0.005
"""Share of the training pairs that would themselves be called out of distribution."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceDistribution:
    """Mean and covariance of the training pairs' features.

    Parameters
    ----------
    mean_F, covariance_FF
        Of the features, each over the pairs that have it.
    limit
        p-value of the distance below which a pair is out of distribution.
    """

    mean_F: Array
    covariance_FF: Array
    limit: float


def feature_names(layout: Layout) -> tuple[str, ...]:
    """Return the names of the features: channels, numbers of the person, time since onset."""
    covariates = layout.person_S
    numbers = tuple(covariate.code for covariate in covariates if covariate.label is None)
    return (*layout.channels_C, *numbers, "time since onset")


def fit_reference(batch: SequenceBatch) -> ReferenceDistribution:
    """Fit the reference distribution to training pairs."""
    x_BF = _features(batch)
    known_BF = np.isfinite(x_BF)
    count_F = known_BF.sum(axis=0).clip(min=1)
    mean_F = np.where(known_BF, x_BF, 0).sum(axis=0) / count_F
    centred_BF = np.where(known_BF, x_BF - mean_F, 0)
    spread_F = np.sqrt((centred_BF**2).sum(axis=0) / count_F)
    # A channel that never varied cannot set anybody apart.
    spread_F = np.where(spread_F > 0, spread_F, np.inf)
    z_BF = centred_BF / spread_F
    together_FF = (known_BF.T.astype(np.float64) @ known_BF).clip(min=1)
    correlation_FF = (1 - SHRINKAGE) * (z_BF.T @ z_BF) / together_FF
    np.fill_diagonal(correlation_FF, 1.0)
    finite_F = np.where(np.isfinite(spread_F), spread_F, 1e12)
    covariance_FF = correlation_FF * finite_F[:, None] * finite_F
    unlimited = ReferenceDistribution(mean_F=mean_F, covariance_FF=covariance_FF, limit=0.0)
    p_value_B, _ = distance_p_values(unlimited, batch)
    limit = float(np.quantile(p_value_B, REFUSED_SHARE, method="lower"))
    return ReferenceDistribution(mean_F=mean_F, covariance_FF=covariance_FF, limit=limit)


def distance_p_values(
    reference: ReferenceDistribution, batch: SequenceBatch
) -> tuple[Array, NDArray[np.int64]]:
    """Return the p-value of each pair's distance from the mean, (B,), and its farthest feature.

    The distance is that of Mahalanobis (1936) over the features that the pair has; its square
    follows the chi-squared distribution with as many degrees of freedom where features are normal.
    """
    x_BF = _features(batch)
    p_value_B = np.ones(len(x_BF))
    farthest_B = np.zeros(len(x_BF), dtype=np.int64)
    for b, x_F in enumerate(x_BF):
        known = np.flatnonzero(np.isfinite(x_F))
        away_K = x_F[known] - reference.mean_F[known]
        covariance_KK = reference.covariance_FF[np.ix_(known, known)]
        # Pairwise correlations need not be positive definite together: raise small eigenvalues.
        spread_K = np.sqrt(np.diag(covariance_KK))
        value_K, vector_KK = np.linalg.eigh(covariance_KK / spread_K[:, None] / spread_K)
        rotated_K = vector_KK.T @ (away_K / spread_K)
        squared_distance = float((rotated_K**2 / value_K.clip(min=0.05)).sum())
        p_value_B[b] = chi2.sf(squared_distance, len(known))
        farthest_B[b] = known[np.abs(away_K / spread_K).argmax()]
    return p_value_B, farthest_B


def is_out_of_distribution_out_of_fold(
    batch: SequenceBatch, fold_B: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Say which pairs the service would refuse if the reference were fitted to the other folds.

    The rule is that of `serving.forecast.respond`; the reference was never fitted to the pair.
    """
    outside_B = np.zeros(len(batch), dtype=np.bool_)
    for fold in np.unique(fold_B):
        in_fold_B = fold_B == fold
        reference = fit_reference(batch.take(~in_fold_B))
        outside_B[in_fold_B] = is_out_of_distribution(reference, batch.take(in_fold_B))
    return outside_B


def is_out_of_distribution(
    reference: ReferenceDistribution, batch: SequenceBatch
) -> NDArray[np.bool_]:
    """Say which pairs are so unlike the reference that no forecast is given, (B,)."""
    return np.asarray(distance_p_values(reference, batch)[0] < reference.limit)


def _features(batch: SequenceBatch) -> Array:
    count_BC = batch.observed_BTC.sum(axis=1)
    mean_BC = (batch.values_BTC * batch.observed_BTC).sum(axis=1) / count_BC.clip(min=1)
    covariates = batch.layout.person_S
    numbers = [s for s, covariate in enumerate(covariates) if covariate.label is None]
    known_BN = batch.person_known_BS[:, numbers]
    person_BN = np.where(known_BN, batch.person_BS[:, numbers], np.nan)
    onset_B1 = np.log1p(batch.days_since_onset_BT[:, -1:].clip(min=0))
    parts = [np.where(count_BC > 0, mean_BC, np.nan), person_BN, onset_B1]
    return np.concatenate(parts, axis=1).astype(np.float64)
