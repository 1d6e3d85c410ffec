"""Therapy: which plan a patient gets, how much of it is delivered, and its true effect.

The evidence on dose conflicts (Lohse 2014 for, Lang 2016 against), so the truth is a choice of the
scenario. It is always relative to usual care, which the published recovery curves include already.

Letters: N subjects or particles, D days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax

from features.published_recovery import BEST_SCORE
from features.simulate.latent import TOLERANCE, Groups, Shift, responsibility

Array = NDArray[np.float64]

PLANS: dict[str, float] = {"half": 15.0, "usual": 30.0, "double": 60.0, "intensive": 120.0}
"""Arm therapy in minutes a weekday, for `PLAN_DAYS`. Assumption; 30 minutes about as delivered."""

PLAN_DAYS = 84
USUAL = "usual"
PLAN_LOG_ODDS = (-1.5, 0.0, -1.2, -2.2)
"""Log odds of the plans without confounding. Assumption."""
PLAN_INTENSITY = (-1.0, 0.0, 1.0, 2.0)
"""Steps of intensity between a plan and usual care."""
SESSION_SPREAD = 0.3
"""SD over mean of a session's length. Assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Therapy:
    """The effect of dose, and what decides the dose.

    Parameters
    ----------
    truth
        none: no effect at any dose. saturating: most (1 - exp(-hours / scale_hours)). threshold: no
        effect before about `threshold_hours`. timed: saturating, but hours late after onset count
        less.
    most_points
        Largest gain over no therapy by group, Fugl-Meyer points. Targets, set within the size of
        reported effects (Lohse 2014: standardised 0.35).
    scale_hours
        Hours at which the saturating effect reaches 63 %. Target.
    threshold_hours, threshold_width
        Middle and width of the threshold's rise. Target.
    worth_days
        Days since onset in which the effect of an hour falls to 37 %, for `timed`. Target.
    confounding
        0 to 4: how strongly plans follow severity (most to the moderately affected) and tolerance.
    """

    truth: Literal["none", "saturating", "threshold", "timed"] = "saturating"
    most_points: tuple[float, ...] = (0.0, 4.0, 4.0, 4.0, 1.0)
    scale_hours: float = 30.0
    threshold_hours: float = 40.0
    threshold_width: float = 6.0
    worth_days: float = 60.0
    confounding: float = 2.0


def plan_log_chance(first_score: Array, latent: Array, groups: Groups, therapy: Therapy) -> Array:
    """Return log chances of each plan given the baseline score (N,) and latents (N, 9), (N, 4)."""
    middle = 0.5 - (2 * first_score / BEST_SCORE - 1) ** 2
    tolerance = (latent[:, TOLERANCE] - groups.tolerance) / groups.tolerance_spread
    pull = 0.3 * therapy.confounding * (middle + tolerance)
    return np.asarray(
        log_softmax(np.array(PLAN_LOG_ODDS) + pull[:, None] * np.array(PLAN_INTENSITY), axis=1)
    )


def session_planned(day: Array, start: Array, weekend: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return on which days since onset (N, D) a session is planned, given the first day (N, 1)."""
    return (day >= start) & (day < start + PLAN_DAYS) & ~weekend


def gain_over_usual_care(
    latent: Array,
    hours: Array,
    usual_hours: Array,
    groups: Groups,
    shift: Shift,
    therapy: Therapy,
) -> Array:
    """Return Fugl-Meyer points gained over usual care, (N, D).

    Parameters
    ----------
    latent
        (N, 9). A patient's largest gain is the mean over the groups, weighted by their chance given
        these.
    hours, usual_hours
        Effective hours so far (see `effective_hours`), (N, D) or (1, D): of this plan and of usual
        care.
    """
    if therapy.truth == "none":
        return np.zeros(np.broadcast_shapes((len(latent), 1), hours.shape))
    most = responsibility(latent, groups, shift) @ np.array(therapy.most_points)
    return np.asarray(most[:, None] * (_response(hours, therapy) - _response(usual_hours, therapy)))


def effective_hours(minutes: Array, day: Array, therapy: Therapy) -> Array:
    """Return the hours before each day, by their effect, (..., D), given minutes a day (..., D)."""
    counted = minutes / 60
    if therapy.truth == "timed":
        counted = counted * np.exp(-day / therapy.worth_days)
    return np.asarray(np.cumsum(counted, axis=-1) - counted)


def usual_care_minutes(
    day: Array, enrolment: Array, weekend: NDArray[np.bool_], groups: Groups
) -> Array:
    """Return the minutes a day (N, D) of usual care at average attendance, the reference."""
    attended = float(expit(groups.tolerance))
    return np.asarray(PLANS[USUAL] * attended * session_planned(day, enrolment, weekend))


def _response(hours: Array, therapy: Therapy) -> Array:
    if therapy.truth == "threshold":
        at, width = therapy.threshold_hours, therapy.threshold_width
        return np.asarray(expit((hours - at) / width))
    return np.asarray(-np.expm1(-hours / therapy.scale_hours))
