"""The best forecast of a simulated tumour: by the simulator's own equations and distributions.

Letters: P patients, S draws, F rates (3).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from support.tumour import (
    ALPHA,
    ALPHA_SD,
    CHEMO,
    CHEMO_SD,
    CORRELATION,
    GROWTH,
    GROWTH_SD,
    NOISE,
    RESPONDS,
    TYPES,
    Array,
)
from support.tumour_twins import RIGHT, Learned, LearnedTwin, Prior

BAYES_FACTOR = 2
"""The reference has more of them: its own are not in pairs around the mean."""


def true_priors() -> dict[int, Prior]:
    """Return the simulator's own distributions, before they are cut off at 0."""
    cross = CORRELATION * GROWTH_SD * ALPHA_SD
    covariance = np.array([
        [GROWTH_SD**2, 0, cross], [0, CHEMO_SD**2, 0], [cross, 0, ALPHA_SD**2],
    ])  # fmt: skip
    return {
        kind: Prior(
            np.array([
                GROWTH, CHEMO * (1 + RESPONDS * (kind == 3)), ALPHA * (1 + RESPONDS * (kind == 1)),
            ]),
            covariance,
        )
        for kind in TYPES
    }  # fmt: skip


class BayesTwin(LearnedTwin):
    """The best that can be known: the simulator's own prior, cut off at 0 as it is.

    Alpha is drawn above its least value, growth above 0 given alpha, and a draw weighs as much as
    growth was likely to be above 0: importance sampling without any draw thrown away.
    """

    def __init__(self) -> None:
        super().__init__(RIGHT, Learned(true_priors(), NOISE))
        self.name = "Bayes reference"

    def rates(self, day: int, rng: np.random.Generator, draws: int) -> tuple[Array, Array]:
        """Return draws of the rates above their least values, and their weights."""
        mean_PF, covariance_PFF = self.known(day)
        least_P1 = RESPONDS * ALPHA * (self.type_P == 1)[:, None]
        people, number = len(mean_PF), BAYES_FACTOR * draws
        strata_PS = rng.permuted(np.tile(np.arange(number), (people, 1)), axis=1)
        share_PS = (strata_PS + rng.random(strata_PS.shape)) / number
        sd_P1 = np.sqrt(covariance_PFF[:, 2, 2, None])
        alpha_PS, _ = _above(mean_PF[:, 2, None], sd_P1, least_P1, share_PS)
        slope_PF = covariance_PFF[:, :2, 2] / covariance_PFF[:, 2, 2, None]
        given_PSF = (
            mean_PF[:, None, :2] + slope_PF[:, None] * (alpha_PS - mean_PF[:, 2, None])[..., None]
        )
        left_PFF = covariance_PFF[:, :2, :2] - (
            slope_PF[:, :, None] * covariance_PFF[:, None, :2, 2]
        )
        growth_PS, weight_PS = _above(
            given_PSF[..., 0], np.sqrt(left_PFF[:, 0, 0, None]), np.zeros((people, 1)),
            rng.random(strata_PS.shape),
        )  # fmt: skip
        pull_P1 = (left_PFF[:, 0, 1] / left_PFF[:, 0, 0])[:, None]
        rest_P1 = np.sqrt(left_PFF[:, 1, 1] - pull_P1[:, 0] * left_PFF[:, 0, 1])[:, None]
        chemo_PS = given_PSF[..., 1] + pull_P1 * (growth_PS - given_PSF[..., 0])
        chemo_PS = chemo_PS + rest_P1 * rng.normal(size=strata_PS.shape)
        weight_PS = np.maximum(weight_PS, 1e-300)
        weight_PS = weight_PS / weight_PS.sum(axis=1, keepdims=True)
        return np.stack([growth_PS, chemo_PS, alpha_PS], axis=-1), weight_PS


def _above(centre: Array, sd: Array, least: Array, share: Array) -> tuple[Array, Array]:
    """Return quantiles of normal distributions cut off below, and how much was not cut off."""
    beyond = ndtr((centre - least) / sd)
    drawn = centre - sd * ndtri(np.maximum(beyond * (1 - share), 1e-300))
    return np.maximum(drawn, least), beyond * np.ones_like(share)
