"""Which records are unlike all that the model was trained on: they get no forecast.

A record is compared with those of the training people on all of their days, as it may be asked
about on any of them: scores rise and wearable days add up, so that the newest day of most would be
strange among records of the landmarks alone.

Letters: B pairs, T days of the past, C channels, S person covariates, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from contracts import bundle as names
from contracts.sequences import Layout, SequenceBatch

SHRINKAGE = 0.3
"""How far correlations are shrunk toward zero: many pairs of channels are observed together in only
a few people."""

REFUSED_SHARE = 0.005
"""Share of people like those trained on who are called out of distribution."""

FOLDS = 5
"""In which the limit is found: each person's records are compared with other people's."""

USUAL_SPREADS = 2.0
"""Standard deviations around the mean within which a value is usual: 19 in 20 of a normal one."""

TIME_SINCE_ONSET = "time since onset"

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceDistribution:
    """Mean and covariance of the features of training records.

    Parameters
    ----------
    mean_F, covariance_FF
        Of the features, each over the records that have it.
    limit
        p-value of the distance below which a record is out of distribution.
    """

    mean_F: Array
    covariance_FF: Array
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangeness:
    """What makes a record unlike those trained on.

    Parameters
    ----------
    feature
        Without which it would be nearest to them: a code, or `TIME_SINCE_ONSET`.
    value, usual_low, usual_high
        In the feature's unit.
    beside
        The feature that it fits least, where the value is usual by itself; otherwise empty.
    """

    feature: str
    value: float
    usual_low: float
    usual_high: float
    beside: str = ""


def read_reference(tensors: Mapping[str, Array]) -> ReferenceDistribution:
    """Return what a bundle keeps of the training records."""
    return ReferenceDistribution(
        mean_F=tensors[names.REFERENCE_MEAN],
        covariance_FF=tensors[names.REFERENCE_COVARIANCE],
        limit=float(tensors[names.REFERENCE_LIMIT][0]),
    )


def feature_names(layout: Layout) -> tuple[str, ...]:
    """Return the names of the features: channels, numbers of the person, time since onset."""
    covariates = layout.person_S
    numbers = tuple(covariate.code for covariate in covariates if covariate.label is None)
    return (*layout.channels_C, *numbers, TIME_SINCE_ONSET)


def fit_reference(records: SequenceBatch) -> ReferenceDistribution:
    """Fit the reference distribution to training records.

    The limit is that which refuses `REFUSED_SHARE` of records of people whom it was not fitted to.
    """
    _, person_B = np.unique(records.subject_B, return_inverse=True)
    fold_B = person_B % FOLDS
    p_value_B = np.ones(len(records))
    for fold in range(FOLDS):
        own_B = fold_B == fold
        if own_B.any() and not own_B.all():
            others = _moments(records.take(~own_B))
            p_value_B[own_B] = distance_p_values(others, records.take(own_B))[0]
    limit = float(np.quantile(p_value_B, REFUSED_SHARE, method="lower"))
    return replace(_moments(records), limit=limit)


def _moments(records: SequenceBatch) -> ReferenceDistribution:
    """Return mean and covariance, without a limit."""
    x_BF = _features(records)
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
    return ReferenceDistribution(mean_F=mean_F, covariance_FF=covariance_FF, limit=0.0)


def distance_p_values(
    reference: ReferenceDistribution, batch: SequenceBatch
) -> tuple[Array, NDArray[np.int64]]:
    """Return the p-value of each pair's distance from the mean, (B,), and its strangest feature.

    The distance is that of Mahalanobis (1936) over the features that the pair has; its square
    follows the chi-squared distribution with as many degrees of freedom where features are normal.
    The strangest feature is that without which the distance would be least.
    """
    x_BF = _features(batch)
    p_value_B = np.ones(len(x_BF))
    strangest_B = np.zeros(len(x_BF), dtype=np.int64)
    for b, x_F in enumerate(x_BF):
        known = np.flatnonzero(np.isfinite(x_F))
        squared_distance, less_K = _distance(reference, x_F, known)
        p_value_B[b] = chdtrc(len(known), squared_distance)
        strangest_B[b] = known[less_K.argmax()]
    return p_value_B, strangest_B


def strangeness(reference: ReferenceDistribution, pair: SequenceBatch) -> Strangeness:
    """Say what makes one pair unlike the reference."""
    names, x_F = feature_names(pair.layout), _features(pair)[0]
    known = np.flatnonzero(np.isfinite(x_F))
    _, less_K = _distance(reference, x_F, known)
    order = known[np.argsort(-less_K)]
    first = int(order[0])
    spread = USUAL_SPREADS * float(np.sqrt(reference.covariance_FF[first, first]))
    low, high = reference.mean_F[first] - spread, reference.mean_F[first] + spread
    usual = low <= x_F[first] <= high
    in_unit = np.expm1 if names[first] == TIME_SINCE_ONSET else np.asarray
    value, usual_low, usual_high = (float(in_unit(x)) for x in (x_F[first], low, high))
    return Strangeness(
        feature=names[first],
        value=value,
        usual_low=usual_low,
        usual_high=usual_high,
        beside=names[int(order[1])] if usual and len(order) > 1 else "",
    )


def _distance(
    reference: ReferenceDistribution, x_F: Array, known: NDArray[np.intp]
) -> tuple[float, Array]:
    """Return the squared distance over known features, and by how much less without each, (K,)."""
    covariance_KK = reference.covariance_FF[np.ix_(known, known)]
    # Pairwise correlations need not be positive definite together: raise small eigenvalues.
    spread_K = np.sqrt(np.diag(covariance_KK))
    value_K, vector_KK = np.linalg.eigh(covariance_KK / spread_K[:, None] / spread_K)
    precision_KK = (vector_KK / value_K.clip(min=0.05)) @ vector_KK.T
    away_K = (x_F[known] - reference.mean_F[known]) / spread_K
    pull_K = precision_KK @ away_K
    return float(away_K @ pull_K), pull_K**2 / np.diag(precision_KK)


def is_out_of_distribution_out_of_fold(
    batch: SequenceBatch,
    fold_B: NDArray[np.int64],
    records: SequenceBatch,
    record_fold_B: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Say which pairs the service would refuse if the reference were fitted to the other folds.

    The rule is that of `serving.forecast.respond`; the reference was never fitted to the pair.
    """
    outside_B = np.zeros(len(batch), dtype=np.bool_)
    for fold in np.unique(fold_B):
        in_fold_B = fold_B == fold
        reference = fit_reference(records.take(record_fold_B != fold))
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
