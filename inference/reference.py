"""What the training pairs look like, so that somebody unlike all of them can be told.

Letters: B pairs, T days of the past, C channels, S person covariates, F features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from contracts.sequences import Layout, SequenceBatch

SHRINKAGE = 0.3
"""How far correlations move toward none: many pairs of channels are seen together in few people."""

REFUSED_SHARE = 0.005
"""Share of the training pairs that would themselves be taken for strangers."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The training pairs in short.

    Parameters
    ----------
    mean_F, covariance_FF
        Of the features, each over the pairs that have it.
    limit
        Chance of so large a distance below which a pair is a stranger.
    """

    mean_F: Array
    covariance_FF: Array
    limit: float


def feature_names(layout: Layout) -> tuple[str, ...]:
    """Return what the features are of: channels, person's numbers, and the time since onset."""
    numbers = tuple(covariate.name for covariate in layout.person_S if covariate.label is None)
    return (*layout.channels_C, *numbers, "time since onset")


def learn_reference(batch: SequenceBatch) -> Reference:
    """Learn the reference from training pairs."""
    x_BF = _features(batch)
    known_BF = np.isfinite(x_BF)
    count_F = known_BF.sum(axis=0).clip(min=1)
    mean_F = np.where(known_BF, x_BF, 0).sum(axis=0) / count_F
    centred_BF = np.where(known_BF, x_BF - mean_F, 0)
    spread_F = np.sqrt((centred_BF**2).sum(axis=0) / count_F)
    # A channel that never varied cannot tell anybody from anybody.
    spread_F = np.where(spread_F > 0, spread_F, np.inf)
    z_BF = centred_BF / spread_F
    together_FF = (known_BF.T.astype(np.float64) @ known_BF).clip(min=1)
    correlation_FF = (1 - SHRINKAGE) * (z_BF.T @ z_BF) / together_FF
    np.fill_diagonal(correlation_FF, 1.0)
    finite_F = np.where(np.isfinite(spread_F), spread_F, 1e12)
    covariance_FF = correlation_FF * finite_F[:, None] * finite_F
    learned = Reference(mean_F=mean_F, covariance_FF=covariance_FF, limit=0.0)
    chance_B, _ = strangeness(learned, batch)
    limit = float(np.quantile(chance_B, REFUSED_SHARE, method="lower"))
    return Reference(mean_F=mean_F, covariance_FF=covariance_FF, limit=limit)


def strangeness(reference: Reference, batch: SequenceBatch) -> tuple[Array, NDArray[np.int64]]:
    """Return the chance of a pair at least as far from the mean, (B,), and its oddest feature.

    The distance is that of Mahalanobis (1936) over the features that the pair has, whose square
    follows the chi-squared law with as many degrees of freedom where features are normal.
    """
    x_BF = _features(batch)
    chance_B = np.ones(len(x_BF))
    oddest_B = np.zeros(len(x_BF), dtype=np.int64)
    for b, x_F in enumerate(x_BF):
        known = np.flatnonzero(np.isfinite(x_F))
        away_K = x_F[known] - reference.mean_F[known]
        covariance_KK = reference.covariance_FF[np.ix_(known, known)]
        # Pairwise correlations need not be positive definite together: the least is lifted.
        spread_K = np.sqrt(np.diag(covariance_KK))
        value_K, vector_KK = np.linalg.eigh(covariance_KK / spread_K[:, None] / spread_K)
        turned_K = vector_KK.T @ (away_K / spread_K)
        distance = float((turned_K**2 / value_K.clip(min=0.05)).sum())
        chance_B[b] = chi2.sf(distance, len(known))
        oddest_B[b] = known[np.abs(away_K / spread_K).argmax()]
    return chance_B, oddest_B


def strangers_out_of_fold(batch: SequenceBatch, fold_B: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which pairs the service would refuse as strangers had it learned from the other folds.

    The rule is that of `serving.forecast.respond`; the reference never learned from the pair.
    """
    stranger_B = np.zeros(len(batch), dtype=np.bool_)
    for fold in np.unique(fold_B):
        here = fold_B == fold
        reference = learn_reference(batch.take(~here))
        stranger_B[here] = strangers(reference, batch.take(here))
    return stranger_B


def strangers(reference: Reference, batch: SequenceBatch) -> NDArray[np.bool_]:
    """Tell which pairs are so unlike the reference that no forecast is given, (B,)."""
    return np.asarray(strangeness(reference, batch)[0] < reference.limit)


def _features(batch: SequenceBatch) -> Array:
    count_BC = batch.observed_BTC.sum(axis=1)
    mean_BC = (batch.values_BTC * batch.observed_BTC).sum(axis=1) / count_BC.clip(min=1)
    numbers = [s for s, person in enumerate(batch.layout.person_S) if person.label is None]
    known_BN = batch.person_known_BS[:, numbers]
    person_BN = np.where(known_BN, batch.person_BS[:, numbers], np.nan)
    onset_B1 = np.log1p(batch.days_since_onset_BT[:, -1:].clip(min=0))
    parts = [np.where(count_BC > 0, mean_BC, np.nan), person_BN, onset_B1]
    return np.concatenate(parts, axis=1).astype(np.float64)
