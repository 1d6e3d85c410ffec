"""Plans compared: courses, differences, chances, times to milestones, and which is worth what.

Letters: N plans, H days ahead, I draws, Q quantile levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from contracts.forecast import QUANTILE_LEVELS
from contracts.task import Target

Array = NDArray[np.floating]

DIFFERENCE_LEVELS = (0.05, 0.1, 0.9, 0.95)

Direction = Literal["better", "worse", "not certain"]

CLAIMED = 0.99
"""Chance from which a direction is claimed: at most 1 in 100 that it is none or the other, as an
interval of 98 % that leaves 0 out. One rule for all that is said of plans and estimates. One of
95 % claims a direction in 1 of 20 cohorts without any effect (docs/twin-evidence.md)."""


def direction(chance_better: float, chance_worse: float) -> Direction:
    """Return which direction may be claimed of a difference."""
    if chance_better >= CLAIMED:
        return "better"
    return "worse" if chance_worse >= CLAIMED else "not certain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """By how much the level is better under one plan than under another, points of improvement.

    Parameters
    ----------
    mean, low_80, high_80, low_90, high_90
        Over what is not known of the person and of how therapy acts.
    standard_error
        SD of the same.
    chance_better, chance_worse
        That it is better or worse at all; the rest is no difference.
    chance_important, chance_importantly_worse
        That it is the minimal important difference or more, and that it is as much worse.
    """

    mean: float
    low_80: float
    high_80: float
    low_90: float
    high_90: float
    standard_error: float
    chance_better: float
    chance_worse: float
    chance_important: float
    chance_importantly_worse: float

    @property
    def direction(self) -> Direction:
        """Which direction may be claimed."""
        return direction(self.chance_better, self.chance_worse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaching:
    """When a level is reached under a plan.

    Parameters
    ----------
    share
        Chance that the level reaches it within the days that were asked about.
    low_80, median, high_80
        Days ahead; None where so many of the draws do not reach it.
    """

    share: float
    low_80: float | None
    median: float | None
    high_80: float | None


def points(share: Array, target: Target) -> Array:
    """Return shares of the scale as scores."""
    return np.asarray(target.worst + (target.best - target.worst) * share)


def difference(one_I: Array, other_I: Array, target: Target) -> Difference:
    """Compare the levels under two plans, of the same draws."""
    better_I = abs(target.best - target.worst) * (one_I - other_I)
    low_90, low_80, high_80, high_90 = np.quantile(better_I, DIFFERENCE_LEVELS).tolist()
    important = target.minimal_important_difference
    return Difference(
        mean=float(better_I.mean()),
        low_80=low_80,
        high_80=high_80,
        low_90=low_90,
        high_90=high_90,
        standard_error=float(better_I.std()),
        chance_better=float((better_I > 0).mean()),
        chance_worse=float((better_I < 0).mean()),
        chance_important=float((better_I >= important).mean()),
        chance_importantly_worse=float((better_I <= -important).mean()),
    )


def course(
    forecast_HQ: NDArray[np.float64], scores_HI: Array, usual_HI: Array, target: Target
) -> NDArray[np.float64]:
    """Return the forecast under a plan, (H, Q): the calibrated one, moved as the scores are.

    Exactly the forecast where the scores are those of therapy that goes on as it was.

    Parameters
    ----------
    forecast_HQ
        What is forecast where therapy goes on as it was.
    scores_HI, usual_HI
        Scores under the plan, and where therapy goes on as it was, as share of the scale.
    """
    under_QH, now_QH = (
        np.quantile(points(x_HI, target), QUANTILE_LEVELS, axis=-1)
        for x_HI in (scores_HI, usual_HI)
    )
    moved_HQ = np.clip(forecast_HQ + (under_QH - now_QH).T, target.low, target.high)
    return np.maximum.accumulate(moved_HQ, axis=-1)


def reaching(levels_HI: Array, needed: float, days_H: NDArray[np.float64]) -> Reaching:
    """Return when the level reaches a share of the scale.

    Parameters
    ----------
    days_H
        Days ahead of the levels; a level is reached on the first of them.
    """
    there_HI = levels_HI >= needed
    ever_I = there_HI.any(axis=0)
    day_I = np.where(ever_I, days_H[there_HI.argmax(axis=0)], np.inf)
    # Of the draws one by one: between a day and never there is nothing.
    found = np.quantile(day_I, (0.1, 0.5, 0.9), method="higher")
    low, median, high = (float(day) if np.isfinite(day) else None for day in found)
    return Reaching(share=float(ever_I.mean()), low_80=low, median=median, high_80=high)


def undominated(gain_N: Array, burden_N: Array) -> NDArray[np.intp]:
    """Return the plans than which no other has as much gain for less burden, by rising burden."""
    best, kept = -np.inf, []
    for n in np.lexsort((-gain_N, burden_N)):
        if gain_N[n] > best:
            best = gain_N[n]
            kept.append(n)
    return np.array(kept, dtype=np.intp)
