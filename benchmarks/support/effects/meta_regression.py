"""What more hours of therapy were worth in trials whose arms also differ in kind: a prior.

A random-effects meta-regression of differences between arms of one trial: a constant for another
kind of therapy, a slope by dose and a spread between trials that neither explains. Its slope
is a prior and no effect: trials did not randomise the dose alone. Letters: I trials, K contrasts of
one trial, P coefficients, T values of the spread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import norm

Array = NDArray[np.float64]

SPREAD_T = np.linspace(0, 2, 81)
"""Between-trial standard deviations that are weighed, in standard deviations of the outcome."""
SPREAD_SCALE = 0.5
"""Of their half-normal prior."""


@dataclass(frozen=True)
class Trial:
    """Contrasts of one trial's arms with its arm of the lowest dose."""

    name: str
    difference_K: Array
    covariance_KK: Array
    """Of their sampling errors: they share an arm."""
    design_KP: Array


@dataclass(frozen=True)
class Mixture:
    """A mixture of normal distributions."""

    weight_T: Array
    mean_T: Array
    sd_T: Array

    def cdf(self, value: float) -> float:
        """Return the chance of at most a value."""
        return float(self.weight_T @ ndtr((value - self.mean_T) / self.sd_T))

    def crps(self, value: float) -> float:
        """Return the continuous ranked probability score (closed form of Grimit 2006)."""
        cross_TT = _spread(
            self.mean_T[:, None] - self.mean_T, np.hypot(self.sd_T[:, None], self.sd_T)
        )
        apart_T = _spread(value - self.mean_T, self.sd_T)
        return float(self.weight_T @ apart_T - self.weight_T @ cross_TT @ self.weight_T / 2)


def _spread(mean: Array, sd: Array) -> Array:
    """Return the expected absolute value of a normal variable."""
    at = mean / sd
    return np.asarray(2 * sd * norm.pdf(at) + mean * (2 * ndtr(at) - 1), dtype=np.float64)


@dataclass(frozen=True)
class Posterior:
    """Coefficients, by the spread between trials, and how likely each spread is."""

    weight_T: Array
    mean_TP: Array
    covariance_TPP: Array

    def coefficient(self, place: int) -> Mixture:
        """Return what is known of one coefficient."""
        sd_T = np.sqrt(self.covariance_TPP[:, place, place])
        return Mixture(self.weight_T, self.mean_TP[:, place], sd_T)

    def spread(self) -> float:
        """Return the mean of the spread between trials."""
        return float(self.weight_T @ SPREAD_T)

    def forecast(self, trial: Trial) -> list[Mixture]:
        """Return what is expected of each contrast of a trial that was not learned from."""
        found = []
        for row_P, own in zip(trial.design_KP, np.diag(trial.covariance_KK), strict=True):
            known_T = np.einsum("p,tpq,q->t", row_P, self.covariance_TPP, row_P)
            sd_T = np.sqrt(known_T + SPREAD_T**2 + own)
            found.append(Mixture(self.weight_T, self.mean_TP @ row_P, sd_T))
        return found


def moments(mixture: Mixture) -> tuple[float, float]:
    """Return mean and standard deviation of a mixture."""
    mean = float(mixture.weight_T @ mixture.mean_T)
    square = float(mixture.weight_T @ (mixture.sd_T**2 + mixture.mean_T**2))
    return mean, float(np.sqrt(square - mean**2))


def fit(trials: Sequence[Trial], prior_sd_P: Array) -> Posterior:
    """Return the coefficients of all trials together.

    Parameters
    ----------
    prior_sd_P
        Of the normal prior around 0 of each coefficient.

    Raises
    ------
    ValueError
        If there is no trial.
    """
    if not trials:
        raise ValueError("a meta-regression needs at least one trial")
    return _solved(_total(map(_evidence, trials)), prior_sd_P)


def leave_one_out(trials: Sequence[Trial], prior_sd_P: Array) -> list[list[Mixture]]:
    """Return what the trials of other names say of each trial's contrasts.

    Raises
    ------
    ValueError
        If there are fewer than two names.
    """
    if len({trial.name for trial in trials}) < 2:
        raise ValueError("leaving a trial out needs at least two")
    evidence = [_evidence(trial) for trial in trials]
    total = _total(evidence)
    forecasts = []
    for trial in trials:
        own = _total(e for e, t in zip(evidence, trials, strict=True) if t.name == trial.name)
        others = _Evidence(*(all_ - its for all_, its in zip(total, own, strict=True)))
        forecasts.append(_solved(others, prior_sd_P).forecast(trial))
    return forecasts


class _Evidence(NamedTuple):
    """What trials add to precision, to weighted means and to the log likelihood."""

    precision_TPP: Array
    weighed_TP: Array
    constant_T: Array


def _total(parts: Iterable[_Evidence]) -> _Evidence:
    return _Evidence(*(np.sum(part, axis=0) for part in zip(*parts, strict=True)))


def _evidence(trial: Trial) -> _Evidence:
    count = len(trial.difference_K)
    shared_KK = (np.eye(count) + np.ones((count, count))) / 2
    covariance_TKK = trial.covariance_KK + SPREAD_T[:, None, None] ** 2 * shared_KK
    inverse_TKK = np.linalg.inv(covariance_TKK)
    weighed_TPK = trial.design_KP.T @ inverse_TKK
    square_T = np.einsum("k,tkl,l->t", trial.difference_K, inverse_TKK, trial.difference_K)
    constant_T = -(np.linalg.slogdet(covariance_TKK)[1] + square_T) / 2
    return _Evidence(weighed_TPK @ trial.design_KP, weighed_TPK @ trial.difference_K, constant_T)


def _solved(evidence: _Evidence, prior_sd_P: Array) -> Posterior:
    covariance_TPP = np.linalg.inv(evidence.precision_TPP + np.diag(prior_sd_P**-2.0))
    mean_TP = np.einsum("tpq,tq->tp", covariance_TPP, evidence.weighed_TP)
    explained_T = np.einsum("tp,tp->t", mean_TP, evidence.weighed_TP)
    log_T = (
        evidence.constant_T
        + (np.linalg.slogdet(covariance_TPP)[1] + explained_T) / 2
        - (SPREAD_T / SPREAD_SCALE) ** 2 / 2
    )
    weight_T = np.exp(log_T - log_T.max())
    share_T = np.asarray(weight_T / weight_T.sum(), dtype=np.float64)
    return Posterior(share_T, mean_TP, np.asarray(covariance_TPP, dtype=np.float64))
