"""Therapy as delivered to a shard of subjects, and the points that each of them gained by it.

Letters: N subjects of a shard, P plans, D days since onset.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.simulate.latent import TOLERANCE
from features.simulate.scenario import Scenario
from features.simulate.therapy import (
    PLANS,
    SESSION_SPREAD,
    effective_hours,
    gain_over_usual_care,
    session_planned,
    usual_care_minutes,
)

Array = NDArray[np.float64]


def draw_minutes(
    latent: Array,
    enrolment: NDArray[np.int64],
    weekend: NDArray[np.bool_],
    member: NDArray[np.bool_],
    generator: np.random.Generator,
    scenario: Scenario,
) -> Array:
    """Return minutes a day under each plan, (N, P, D); attendance and noise are shared."""
    planted = scenario.disparity
    start = (enrolment + planted.start_delay_days * member)[:, None].astype(float)
    due = session_planned(np.arange(weekend.shape[1], dtype=float), start, weekend)
    attended = generator.random(weekend.shape) < expit(latent[:, TOLERANCE, None])
    shape = 1 / SESSION_SPREAD**2
    length = generator.gamma(shape, 1 / shape, weekend.shape)
    factor = np.where(member, planted.therapy_factor, 1.0)[:, None]
    share = due * attended * length * factor
    return np.asarray(np.round(share[:, None, :] * np.array(list(PLANS.values()))[None, :, None]))


def points_gained(
    latent: Array,
    minutes: Array,
    enrolment: NDArray[np.int64],
    weekend: NDArray[np.bool_],
    member: NDArray[np.bool_],
    scenario: Scenario,
) -> Array:
    """Return points gained over usual care by each day under each plan, (N, P, D)."""
    day = np.arange(weekend.shape[1], dtype=float)
    usual = usual_care_minutes(day, enrolment[:, None].astype(float), weekend, scenario.groups)
    reference = effective_hours(usual, day, scenario.therapy)
    hours = effective_hours(minutes, day, scenario.therapy)
    more = np.zeros(minutes.shape)
    for flag in (False, True):
        rows = member == flag
        for p in range(len(PLANS)):
            more[rows, p] = gain_over_usual_care(
                latent[rows],
                hours[rows, p],
                reference[rows],
                scenario.groups,
                scenario.shift(member=flag),
                scenario.therapy,
            )
    return more
