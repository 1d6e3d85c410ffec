"""Twins of simulated tumours: a mechanism, each patient's rates learned from their own course.

A day's relative growth is linear in the rates, so what is known of a patient is a normal
distribution: that of patients of their type (empirical Bayes by EM over the training patients), and
their own days. Letters: P patients, T days, F rates (3), S draws, O options, H steps ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from support.tumour import (
    CAPACITY,
    CHEMO_DOSE,
    KEPT,
    NOISE,
    RADIO,
    TYPES,
    Actions,
    Array,
    Courses,
    Patients,
)
from support.tumour_tests import Asked

Single = NDArray[np.float32]
Reals = NDArray[np.floating[Any]]
"""Of either precision, which is kept."""

DRAWS, MORE_DRAWS = 24, 96
"""For an expected volume, and for a distribution."""
ROUNDS = 60
"""Of EM."""
TINY = 1e-9


@dataclass(frozen=True)
class Mechanism:
    """How a tumour is believed to grow and to answer."""

    name: str
    power: float = 0.0
    """Of the share of capacity by which growth slows (Richards 1959): 1 is logistic growth, 0, the
    limit, that of Gompertz."""
    kept: float = KEPT
    """How much of yesterday's chemotherapy is left today."""

    def growth(self, volume: Reals) -> Reals:
        """Return what the rate of growth is multiplied by."""
        share = np.maximum(volume, volume.dtype.type(TINY)) / volume.dtype.type(CAPACITY)
        if self.power == 0:
            return np.asarray(-np.log(share))
        power = volume.dtype.type(self.power)
        return np.asarray((1 - share**power) / power)

    def doses(self, action_PT: Actions) -> Array:
        """Return the chemotherapy in the body on each day."""
        dose_PT = np.zeros(action_PT.shape)
        for day in range(action_PT.shape[1]):
            before = dose_PT[:, day - 1] if day else 0.0
            dose_PT[:, day] = self.kept * before + CHEMO_DOSE * (action_PT[:, day] & 1)
        return dose_PT

    def regressors(self, volume: Array, dose: Array, action: Actions) -> Array:
        """Return what each rate is multiplied by, in the last dimension."""
        return np.stack([self.growth(volume), -dose, -RADIO * (action >> 1).astype(float)], axis=-1)


RIGHT = Mechanism("right mechanism")
LOGISTIC = Mechanism("wrong: logistic growth", power=1.0)
NO_HALF_LIFE = Mechanism("wrong: no half-life", kept=0.0)


POWERS = (1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.0)
ENOUGH = 2_000
"""Training patients by whom a form of growth is chosen."""


class Prior(NamedTuple):
    """What is known of patients of one type."""

    mean_F: Array
    covariance_FF: Array


class Sums(NamedTuple):
    """What days say of rates: products of regressors, with growth, and squares of growth."""

    square_FF: Array
    cross_F: Array
    growth: Array
    days: Array


def evidence(mechanism: Mechanism, courses: Courses) -> Sums:
    """Return the sums of all days before each day, (P, T, ...)."""
    dose_PT = mechanism.doses(courses.action_PT)
    volume_PT = courses.volume_PT
    seen_PT = np.isfinite(volume_PT[:, 1:])
    with np.errstate(invalid="ignore"):
        growth_PT = np.where(seen_PT, volume_PT[:, 1:] / volume_PT[:, :-1] - 1, 0)
    at = mechanism.regressors(volume_PT[:, :-1], dose_PT[:, :-1], courses.action_PT[:, :-1])
    at_PTF = np.where(seen_PT[..., None], at, 0)
    parts = (
        at_PTF[..., :, None] * at_PTF[..., None, :], at_PTF * growth_PT[..., None],
        growth_PT**2, seen_PT.astype(float),
    )  # fmt: skip
    sums = (np.cumsum(part, axis=1) for part in parts)
    return Sums(*(np.concatenate([np.zeros_like(s[:, :1]), s], axis=1) for s in sums))


@dataclass(frozen=True)
class Learned:
    """What training patients teach: rates by type, and how much a day varies."""

    priors: dict[int, Prior]
    noise: float


def learn(mechanism: Mechanism, patients: Patients, courses: Courses) -> Learned:
    """Learn the rates' distribution of each type by EM (Dempster 1977; Laird & Ware 1982)."""
    sums = Sums(*(part[:, -1] for part in evidence(mechanism, courses)))
    pooled_FF, pooled_F = sums.square_FF.sum(axis=0), sums.cross_F.sum(axis=0)
    mean_F = np.linalg.solve(pooled_FF, pooled_F)
    noise = 4 * NOISE**2
    priors = {kind: Prior(mean_F, np.diag(np.maximum(mean_F**2, 1e-6))) for kind in TYPES}
    for _ in range(ROUNDS):
        missed = 0.0
        for kind in TYPES:
            own = Sums(*(part[patients.type_P == kind] for part in sums))
            mean_PF, covariance_PFF = posterior(priors[kind], own.square_FF, own.cross_F, noise)
            apart_PF = mean_PF - mean_PF.mean(axis=0)
            spread_FF = covariance_PFF.mean(axis=0) + apart_PF.T @ apart_PF / len(apart_PF)
            priors[kind] = Prior(mean_PF.mean(axis=0), spread_FF)
            second_PFF = covariance_PFF + mean_PF[:, :, None] * mean_PF[:, None, :]
            missed += float(
                (own.growth - 2 * (own.cross_F * mean_PF).sum(axis=1)).sum()
                + (own.square_FF * second_PFF).sum()
            )
        noise = missed / float(sums.days.sum())
    return Learned(priors, float(np.sqrt(noise)))


def learn_form(patients: Patients, courses: Courses) -> Mechanism:
    """Return the form of growth, of those between logistic and Gompertz, that surprises least.

    By the noise of a day that each has to learn: no truth is looked at.
    """
    some = slice(0, ENOUGH)
    fewer = Courses(*(getattr(courses, each.name)[some] for each in fields(Courses)))
    forms = [Mechanism("form of growth learned", power=power) for power in POWERS]
    return min(forms, key=lambda form: learn(form, patients.take(some), fewer).noise)


def posterior(
    prior: Prior, square_PFF: Array, cross_PF: Array, noise: float
) -> tuple[Array, Array]:
    """Return mean and covariance of each patient's rates, by noise as a variance."""
    precision_FF = np.linalg.inv(prior.covariance_FF)
    covariance_PFF = np.asarray(np.linalg.inv(precision_FF + square_PFF / noise), np.float64)
    right_PF = precision_FF @ prior.mean_F + cross_PF / noise
    return np.einsum("pfg,pg->pf", covariance_PFF, right_PF), covariance_PFF


class LearnedTwin:
    """Our twin: a mechanism, what training patients taught, and the patient's own days."""

    def __init__(self, mechanism: Mechanism, learned: Learned) -> None:
        self.name, self.mechanism, self.noise = mechanism.name, mechanism, learned.noise
        self.priors = learned.priors

    def prepare(self, patients: Patients, courses: Courses) -> None:
        """Add up what each patient's days say."""
        self.type_P, self.sums = patients.type_P, evidence(self.mechanism, courses)
        self.dose_PT = self.mechanism.doses(courses.action_PT)

    def dose_before(self, day: int) -> Array:
        """Return the chemotherapy that is left of the days before, in the body the day before."""
        return self.dose_PT[:, day - 1] if day else np.zeros(len(self.dose_PT))

    def known(self, day: int) -> tuple[Array, Array]:
        """Return mean and covariance of the rates given the days before."""
        mean_PF = np.empty((len(self.type_P), 3))
        covariance_PFF = np.empty((len(self.type_P), 3, 3))
        for kind, prior in self.priors.items():
            own_P = self.type_P == kind
            mean_PF[own_P], covariance_PFF[own_P] = posterior(
                prior, self.sums.square_FF[own_P, day], self.sums.cross_F[own_P, day],
                self.noise**2,
            )  # fmt: skip
        return mean_PF, covariance_PFF

    def rates(self, day: int, rng: np.random.Generator, draws: int) -> tuple[Array, Array]:
        """Return draws in pairs around the mean, so that their mean is exact, and even weights."""
        mean_PF, covariance_PFF = self.known(day)
        root_PFF = np.linalg.cholesky(covariance_PFF + 1e-18 * np.eye(3))
        drawn_PSF = rng.normal(size=(len(mean_PF), draws // 2, 3))
        half_PSF = np.einsum("pfg,psg->psf", root_PFF, drawn_PSF)
        both_PSF = np.concatenate([half_PSF, -half_PSF], axis=1)
        return mean_PF[:, None] + both_PSF, np.full(both_PSF.shape[:2], 1 / draws)


def rolled_out(
    mechanism: Mechanism, rate_PSF: Array, volume_P: Array, dose_P: Array, action_POH: Actions,
    noise: float, rng: np.random.Generator,
) -> Single:  # fmt: skip
    """Return volumes of the days ahead for each draw, (P, S, O, H).

    Parameters
    ----------
    rate_PSF
        See `LearnedTwin.rates`.
    dose_P
        The chemotherapy in the body yesterday.
    noise
        By which each day varies besides; 0 where only the expected volume is asked for.
    """
    shape = (len(volume_P), rate_PSF.shape[1], action_POH.shape[1])
    volume: Single = np.broadcast_to(volume_P.astype(np.float32)[:, None, None], shape)
    dose = np.repeat(dose_P[:, None], shape[2], axis=1)
    growth, chemo, alpha = (rate_PSF.astype(np.float32)[:, :, None, place] for place in range(3))
    steps = []
    for step in range(action_POH.shape[2]):
        action = action_POH[:, :, step]
        dose = mechanism.kept * dose + CHEMO_DOSE * (action & 1)
        lost = chemo * dose.astype(np.float32)[:, None]
        lost += alpha * (RADIO * (action >> 1)).astype(np.float32)[:, None]
        rate = growth * mechanism.growth(volume) - lost
        if noise:
            rate += np.float32(noise) * rng.standard_normal(shape, dtype=np.float32)
        volume = volume * (1 + rate)
        steps.append(volume)
    return np.stack(steps, axis=-1)


def forecast(
    twin: LearnedTwin, asked: Asked, day: int, rng: np.random.Generator, *, varied: bool = False
) -> Draws:
    """Return what a twin says on a day of every option, of patients it was prepared for.

    A draw whose tumour falls below nothing before the last day is left out, as its row would be.

    Parameters
    ----------
    varied
        Whether days vary, as a distribution needs; without, draws differ by their rates only.
    """
    rate_PSF, weight_PS = twin.rates(day, rng, MORE_DRAWS if varied else DRAWS)
    volume_PSOH = rolled_out(
        twin.mechanism, rate_PSF, asked.courses.volume_PT[:, day], twin.dose_before(day),
        asked.action_PTOH[:, day], twin.noise if varied else 0.0, rng,
    )  # fmt: skip
    whole_PSO = (volume_PSOH[..., :-1] > 0).all(axis=-1)
    weight_PSO = np.where(whole_PSO, weight_PS[..., None], 1e-12 * weight_PS[..., None])
    return Draws(volume_PSOH, weight_PSO / weight_PSO.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Draws:
    """Weighted draws of volumes ahead."""

    volume_PSOH: Single
    weight_PSO: Array

    def mean(self) -> Array:
        """Return the expected volumes, (P, O, H)."""
        weighed = self.volume_PSOH * self.weight_PSO.astype(np.float32)[..., None]
        return np.asarray(weighed.sum(axis=1), dtype=np.float64)
