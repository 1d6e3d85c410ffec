"""A hierarchical Bayesian exponential recovery, whose curves depend on covariates.

Letters: B pairs, R rows (subjects or pairs), W scores of one row, F covariates, P curves,
H horizons, Q quantile levels, 3 latents: logit start, logit share regained, log time constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm, qmc
from torch import Tensor

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Predict
from training.models.layers.bounded_distribution import (
    cells_of,
    mixture_cdf,
    quantiles,
    to_score_points,
)
from training.models.layers.recovery_curves import (
    LARGEST_LATENT,
    RATE,
    SMALLEST_PROBABILITY,
    START,
    TIME,
    normal_cdf,
)
from training.models.rivals.trajectories import (
    Scores,
    a_sample,
    padded,
    past_scores,
    whole_courses,
)
from training.models.rivals.tuning import chosen

Array = NDArray[np.float64]

DOUBTS = (1.0, 10.0, 100.0, 10_000.0)
"""Subjects without an effect that a person covariate's prior is worth; the last is no effect."""

ROUNDS, CURVES, CURVES_OF_FORECAST = 25, 512, 1_024
MOST_SUBJECTS = 1_000
"""Of whom the population is learned: it has a few dozen parameters."""

PAIRS_AT_ONCE = 32

USUAL_SPREAD = (1.0, 1.0, 0.7)
"""SD of each latent before any patient was seen, worth `PRIOR_SUBJECTS` of them."""

PRIOR_SUBJECTS = 5.0
USUAL_TIME_DAYS = 40.0
SMALLEST_NOISE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """How curves are distributed among people with some covariates.

    Parameters
    ----------
    effect_F3
        Mean of the latents by covariate; the first covariate is 1.
    root_33
        Cholesky factor of the covariance around that mean.
    noise
        SD of one score around its curve, on the share of the scale.
    """

    effect_F3: Tensor
    root_33: Tensor
    noise: float


def bayesian_recovery(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit start, share regained and time constant after enrolment, given the covariates.

    The population is fitted by empirical Bayes: expectation maximisation, whose expectations are
    over curves drawn from the population so far and weighted by their likelihood (Wei and Tanner
    1990). A forecast is the mixture of a pair's curves, weighted in the same way. Covariates are
    the days since onset and the person's; how far the latter are believed is chosen in folds by
    subject. One that is not recorded has no effect.
    """
    settings = [(doubt, partial(_with, doubt)) for doubt in DOUBTS]
    return _with(chosen(settings, train, task, seed=seed), train, task, seed=seed)


def _with(doubt: float, train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    target = train.layout.channels_C.index(task.target.code)
    courses, first_R = whole_courses(train, task, [target])
    some_R = a_sample(train.subject_B[first_R], MOST_SUBJECTS, seed=seed)
    firsts = train.take(first_R)
    scale = _Scale.of(firsts)
    days_RW, share_RW = _arrays(courses, len(first_R), task)
    covariate_RF = scale.covariates(firsts)
    population = fit_population(
        days_RW[some_R], share_RW[some_R], covariate_RF[some_R], doubt=doubt
    )

    def predict(batch: SequenceBatch) -> Array:
        days_BW, share_BW = _arrays(past_scores(batch, [target]), len(batch), task)
        covariate_BF = scale.covariates(batch)
        parts = [
            _forecast(population, days_BW[rows], share_BW[rows], covariate_BF[rows], batch, task)
            for rows in np.array_split(np.arange(len(batch)), len(batch) // PAIRS_AT_ONCE + 1)
        ]
        return np.concatenate(parts)

    return predict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Mean and SD of the person covariates and of the log of days from onset to enrolment."""

    mean_S: Array
    spread_S: Array

    @staticmethod
    def of(firsts: SequenceBatch) -> _Scale:
        raw_BS = _raw_covariates(firsts)
        known_S = (~np.isnan(raw_BS)).any(axis=0)
        filled_BS = np.where(known_S, raw_BS, 0.0)
        spread_S = np.nanstd(filled_BS, axis=0)
        return _Scale(
            mean_S=np.nanmean(filled_BS, axis=0), spread_S=np.where(spread_S > 0, spread_S, np.inf)
        )

    def covariates(self, batch: SequenceBatch) -> Tensor:
        """Return 1, the log of days to enrolment, its square, and the person's, (B, F)."""
        standard_BS = np.nan_to_num((_raw_covariates(batch) - self.mean_S) / self.spread_S)
        onset_B = standard_BS[:, 0]
        columns = [np.ones_like(onset_B), onset_B, onset_B**2 - 1, *standard_BS[:, 1:].T]
        return torch.from_numpy(np.stack(columns, axis=1))


NOT_DOUBTED = 3
"""Covariates before the person's: their effect is as believable as the intercept."""


def _raw_covariates(batch: SequenceBatch) -> Array:
    enrolment_B = batch.days_since_onset_BT[:, -1] - batch.origin_day_B
    person_BS = np.where(batch.person_known_BS, batch.person_BS, np.nan)
    return np.column_stack([np.log1p(np.maximum(enrolment_B, 0)), person_BS]).astype(np.float64)


def _arrays(scores: Scores, rows: int, task: Task) -> tuple[Tensor, Tensor]:
    """Return days since enrolment and the score's share of the scale, NaN for none, (R, W) each."""
    worst, best = task.target.worst, task.target.best
    days_RW = padded(np.maximum(scores.since_enrolment_N, 0), scores.row_N, rows)
    share_RW = padded((scores.value_N - worst) / (best - worst), scores.row_N, rows)
    return torch.from_numpy(days_RW).nan_to_num(), torch.from_numpy(share_RW)


def fit_population(
    days_RW: Tensor, share_RW: Tensor, covariate_RF: Tensor, *, doubt: float
) -> Population:
    """Fit the population of curves to subjects' courses.

    Parameters
    ----------
    days_RW, share_RW
        Days since enrolment and score on the share of the scale, worst 0; NaN for none.
    doubt
        Subjects without an effect that the prior of a person covariate is worth.
    """
    seen_RW = ~share_RW.isnan()
    inside_RW = seen_RW & (share_RW > 0) & (share_RW < 1)
    start = share_RW[seen_RW].clamp(0.05, 0.95).logit().mean()
    effect_F3 = torch.zeros(covariate_RF.shape[1], 3, dtype=torch.float64)
    effect_F3[0] = torch.tensor([float(start), 0.0, np.log(USUAL_TIME_DAYS)])
    usual_33 = torch.tensor(USUAL_SPREAD, dtype=torch.float64).square().diag()
    ridge_F = torch.full((covariate_RF.shape[1],), doubt, dtype=torch.float64)
    ridge_F[:NOT_DOUBTED] = 1e-3
    within = covariate_RF.T @ covariate_RF + ridge_F.diag()
    population = Population(effect_F3=effect_F3, root_33=usual_33.sqrt(), noise=0.06)
    for _ in range(ROUNDS):
        latent_RP3 = draw(population, covariate_RF, CURVES)
        level_RWP = levels(latent_RP3, days_RW)
        weight_RP = weights(level_RWP, share_RW, population.noise)
        mean_R3 = (weight_RP[..., None] * latent_RP3).sum(dim=1)
        effect_F3 = torch.linalg.solve(within, covariate_RF.T @ mean_R3)
        off_RP3 = latent_RP3 - (covariate_RF @ effect_F3)[:, None]
        spread_33 = torch.einsum("rp,rpi,rpj->ij", weight_RP, off_RP3, off_RP3)
        covariance_33 = (spread_33 + PRIOR_SUBJECTS * usual_33) / (len(mean_R3) + PRIOR_SUBJECTS)
        miss_RWP = (share_RW.nan_to_num()[..., None] - level_RWP) ** 2
        square = (weight_RP[:, None] * miss_RWP).sum(dim=-1)[inside_RW].mean()
        population = Population(
            effect_F3=effect_F3,
            root_33=torch.linalg.cholesky(covariance_33),
            noise=max(SMALLEST_NOISE, float(square.sqrt().nan_to_num())),
        )
    return population


def draw(population: Population, covariate_RF: Tensor, curves: int) -> Tensor:
    """Return the latents of the same curves around each row's covariates, (R, P, 3)."""
    sobol = qmc.Sobol(3, rng=np.random.default_rng(0)).random(curves)
    around_P3 = torch.from_numpy(norm.ppf(sobol)) @ population.root_33.T
    latent_RP3 = (covariate_RF @ population.effect_F3)[:, None] + around_P3
    return latent_RP3.clamp(-LARGEST_LATENT, LARGEST_LATENT)


def levels(latent_RP3: Tensor, days_RW: Tensor) -> Tensor:
    """Return each row's curves at its days since enrolment, share of the scale, (R, W, P)."""
    start_RP, rate_RP = latent_RP3[..., START].sigmoid(), latent_RP3[..., RATE].sigmoid()
    pace_RP = (-latent_RP3[..., TIME]).exp()
    gained_RWP = 1 - torch.exp(-days_RW[..., None] * pace_RP[:, None])
    return start_RP[:, None] + (rate_RP * (1 - start_RP))[:, None] * gained_RWP


def weights(level_RWP: Tensor, share_RW: Tensor, noise: float) -> Tensor:
    """Return the weight of each curve given the scores, (R, P); an end of the scale censors."""
    z_RWP = (share_RW.nan_to_num()[..., None] - level_RWP) / noise
    end_RW1 = ((share_RW <= 0).double() - (share_RW >= 1).double())[..., None]
    censored_RWP = torch.log(normal_cdf(z_RWP * end_RW1) + SMALLEST_PROBABILITY)
    # A censored score is a probability, the others are densities: each is one factor of a row,
    # and the same for all its curves is what it is measured in.
    each_RWP = torch.where(end_RW1 != 0, censored_RWP, -0.5 * z_RWP**2)
    seen_RW1 = (~share_RW.isnan())[..., None]
    return torch.softmax((each_RWP * seen_RW1).sum(dim=1), dim=-1)


def _forecast(
    population: Population,
    days_RW: Tensor,
    share_RW: Tensor,
    covariate_RF: Tensor,
    batch: SequenceBatch,
    task: Task,
) -> Array:
    latent_RP3 = draw(population, covariate_RF, CURVES_OF_FORECAST)
    weight_RP = weights(levels(latent_RP3, days_RW), share_RW, population.noise)
    horizon_H = torch.tensor(batch.layout.horizon_days_H, dtype=torch.float64)
    level_RHP = levels(latent_RP3, horizon_H.expand(len(days_RW), -1))
    cdf_RHK = mixture_cdf(
        weight_RP[:, None].expand_as(level_RHP),
        level_RHP,
        torch.full_like(level_RHP, population.noise),
        cells_of(task.target),
    )
    share_RHQ = quantiles(cdf_RHK, torch.tensor(QUANTILE_LEVELS, dtype=torch.float64))
    return to_score_points(share_RHQ, task.target.worst, task.target.best).numpy()
