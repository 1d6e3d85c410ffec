"""Recovery over time: the arm's level, walking ability, and what therapy adds.

Letters: N subjects or particles, D days since onset. Latents are `features.simulate.latent`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.published_recovery import BEST_SCORE
from features.simulate.latent import (
    ARM_RATE,
    ARM_START,
    ARM_TIME,
    PACE,
    WALK_RATE,
    WALK_START,
    WALK_TIME,
)

Array = NDArray[np.float64]

FIRST_STEPS = 0.25
"""Walking ability, 0 to 1, below which nobody takes a step (our scale; assumption)."""

WALKS_ASSISTED, WALKS_ALONE = 0.35, 0.5
"""Walking ability from which somebody walks with help, and alone (our scale; assumption)."""


def arm_level(latent: Array, day: Array, *, slowness: float = 1.0) -> Array:
    """Return the arm's level in Fugl-Meyer points under usual care, (N, D).

    level(t) = start + rate (66 - start)(1 - exp(-t / time)), van der Vliet 2020.

    Parameters
    ----------
    latent
        (N, 9).
    day
        Days since onset, (N, D) or (1, D).
    slowness
        Factor of the time constant: below 1 for use in daily life, above 1 for capacity.
    """
    start = BEST_SCORE * expit(latent[:, ARM_START, None])
    gain = expit(latent[:, ARM_RATE, None]) * (BEST_SCORE - start)
    return np.asarray(start + gain * _risen(latent[:, ARM_TIME, None], day / slowness))


def walking(latent: Array, day: Array) -> Array:
    """Return walking ability, 0 to 1, (N, D)."""
    start = expit(latent[:, WALK_START, None])
    gain = expit(latent[:, WALK_RATE, None]) * (1 - start)
    return np.asarray(start + gain * _risen(latent[:, WALK_TIME, None], day))


def speed(latent: Array, ability: Array) -> Array:
    """Return comfortable gait speed in m/s of walking ability (N, D); 0 below the first steps."""
    share = np.clip((ability - FIRST_STEPS) / (1 - FIRST_STEPS), 0, 1)
    return np.asarray(np.exp(latent[:, PACE, None]) * share)


def _risen(log_days: Array, day: Array) -> Array:
    return np.asarray(-np.expm1(-day / np.exp(log_days)))
