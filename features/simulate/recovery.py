"""Recovery of the arm: the published five-group mixture, and scales coupled to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

FM_BEST, CAHAI_BEST, BARTHEL_BEST = 66.0, 91.0, 100.0

Series = tuple[str, NDArray[np.int64], NDArray[np.float64]]
"""A code, days since onset, and values on those days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryParameters:
    """Parameters of the latent course.

    Parameters
    ----------
    share, rate, tau_weeks, start_mean, start_spread
        Per group: share of patients, share of the missing score regained, time constant, and mean
        and SD of the logit of the initial score over 66. Source: van der Vliet 2020 (Ann Neurol
        87:383), its published code.
    rate_spread, tau_spread, measurement_spread
        SD between patients on logit rate and log tau, and of a single assessment in points.
        As published the mixture is too easy; these bring its predictor's error to the published
        one (measured, see the project's research notes).
    cahai_spread, barthel_spread
        SD of the coupled scales around the latent level, in points. Assumptions.
    """

    share: tuple[float, ...] = (0.2674, 0.1395, 0.1118, 0.1783, 0.3031)
    rate: tuple[float, ...] = (0.0884, 0.4591, 0.8634, 0.8883, 0.9309)
    tau_weeks: tuple[float, ...] = (5.3114, 10.1417, 9.8122, 2.6722, 1.1822)
    start_mean: tuple[float, ...] = (-3.1602, -2.0922, -2.7862, -1.3081, 0.0201)
    start_spread: tuple[float, ...] = (0.510, 2.067, 2.678, 2.746, 2.374)
    rate_spread: float = 1.5
    tau_spread: float = 0.8
    measurement_spread: float = 3.0
    cahai_spread: float = 6.0
    barthel_spread: float = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One patient's latent course: level(t) = start + rate (66 - start)(1 - exp(-t / tau))."""

    group: int
    start: float
    rate: float
    tau_days: float

    def level(self, day: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the latent Fugl-Meyer level, in points, on days since onset."""
        gained = self.rate * (FM_BEST - self.start) * -np.expm1(-day / self.tau_days)
        return np.asarray(self.start + gained, dtype=np.float64)


def draw_course(generator: np.random.Generator, parameters: RecoveryParameters) -> Course:
    """Draw a patient's group, start, rate and time constant."""
    share = np.array(parameters.share)
    group = int(generator.choice(len(share), p=share / share.sum()))
    start = generator.normal(parameters.start_mean[group], parameters.start_spread[group])
    rate = generator.normal(logit(parameters.rate[group]), parameters.rate_spread)
    tau = generator.normal(np.log(7 * parameters.tau_weeks[group]), parameters.tau_spread)
    return Course(
        group=group,
        start=float(FM_BEST * expit(start)),
        rate=float(expit(rate)),
        tau_days=float(np.exp(tau)),
    )


def assess(
    course: Course,
    visits: NDArray[np.int64],
    generator: np.random.Generator,
    parameters: RecoveryParameters,
) -> list[Series]:
    """Return the scores of the visits: Fugl-Meyer, CAHAI and Barthel, whole points on the scale.

    CAHAI is taken as proportional to the level, Barthel as 35 points that do not hang on the arm
    plus 65 that do. Both are assumptions.
    """
    level = course.level(visits)
    share = level / FM_BEST
    return [
        (
            "REHABCAST//FUGL_MEYER_UE",
            visits,
            _scored(level, parameters.measurement_spread, FM_BEST, generator),
        ),
        (
            "REHABCAST//CAHAI",
            visits,
            _scored(CAHAI_BEST * share, parameters.cahai_spread, CAHAI_BEST, generator),
        ),
        (
            "REHABCAST//BARTHEL",
            visits,
            _scored(35 + 65 * share, parameters.barthel_spread, BARTHEL_BEST, generator),
        ),
    ]


def _scored(
    level: NDArray[np.float64], spread: float, best: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    noisy = level + generator.normal(0, spread, level.shape)
    return np.asarray(np.clip(np.round(noisy), 0, best), dtype=np.float64)
