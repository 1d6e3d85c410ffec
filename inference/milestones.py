"""Chances of reaching milestones, computed from a forecast's quantiles.

Letters: B pairs, H horizons, Q quantile levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.forecast import QUANTILE_LEVELS
from contracts.task import Milestone, Target, Task

ROUNDING = 1e-6
"""Largest error of a score in single precision, as a share of the scale."""


def chances(
    quantiles_BHQ: NDArray[np.float64], last_score_B: NDArray[np.float32], task: Task
) -> dict[str, NDArray[np.float64]]:
    """Return the chance that each milestone is reached by each horizon, (B, H) by name.

    In discrete time: from one horizon to the next, those who have not reached it yet do so with
    the hazard that raises the chance to the later horizon's own, but never with a negative one, so
    the chance never falls with time. The distribution between two levels is taken as uniform, and
    the 5 % beyond the outer levels as uniform up to the end of the scale.

    Forecasts are continuous and scores come in steps, so a score counts as reached from half a
    step below it (a continuity correction; without it, almost nobody could reach the best score
    of a scale of 0 and 1).
    """
    ends = (*quantiles_BHQ.shape[:2], 1)
    grid_BHG = np.concatenate(
        [np.full(ends, task.target.low), quantiles_BHQ, np.full(ends, task.target.high)], axis=-1
    )
    level_G = np.array([0.0, *QUANTILE_LEVELS, 1.0])
    if task.target.better == "lower":
        # The chance of at most t is that of at least -t of the score with its sign changed, and
        # the levels are symmetric.
        grid_BHG = -grid_BHG[..., ::-1]
    return {
        milestone.name: _by_hazard(
            _at_least(
                grid_BHG,
                level_G,
                _between_scores(_needed(milestone, last_score_B, task.target), task.target),
            )
        )
        for milestone in task.milestones
    }


def reached(
    truth_BH: NDArray[np.float32], last_score_B: NDArray[np.float32], task: Task
) -> dict[str, NDArray[np.bool_]]:
    """Say whether each milestone was reached by each horizon, (B, H) by name.

    A milestone once reached counts as reached; False where nothing was observed until then.
    """
    target = task.target
    best_BH = np.fmax.accumulate(target.direction * truth_BH, axis=1)
    slack = ROUNDING * (target.high - target.low)
    return {
        milestone.name: best_BH >= _needed(milestone, last_score_B, target)[:, None] - slack
        for milestone in task.milestones
    }


def _by_hazard(chance_BH: NDArray[np.float64]) -> NDArray[np.float64]:
    waiting_BH = 1 - chance_BH
    before_BH = np.concatenate([np.ones_like(waiting_BH[:, :1]), waiting_BH[:, :-1]], axis=1)
    still_BH = np.minimum.accumulate(before_BH, axis=1)
    hazard_BH = np.clip(1 - waiting_BH / np.where(still_BH > 0, still_BH, 1.0), 0, 1)
    return np.asarray(1 - np.cumprod(1 - hazard_BH, axis=1))


def _needed(
    milestone: Milestone, last_score_B: NDArray[np.float32], target: Target
) -> NDArray[np.float64]:
    """Return the score to reach, its sign changed where a lower one is better, (B,)."""
    if milestone.gain_at_least is not None:
        signed_B = target.direction * last_score_B.astype(np.float64)
        return np.asarray(signed_B + milestone.gain_at_least)
    level = milestone.at_least if target.better == "higher" else milestone.at_most
    return target.direction * np.full(len(last_score_B), level, dtype=np.float64)


def _between_scores(needed_B: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    """Return half a step before the first score that is enough, (B,)."""
    if target.step == 0:
        return needed_B
    start = target.direction * target.worst
    # Slightly less before rounding up: 0.3 / 0.01 is not exactly 30 in floating point.
    tolerance = ROUNDING * (target.high - target.low)
    steps_B = np.ceil((needed_B - start - tolerance) / target.step)
    return np.asarray(start + (steps_B - 0.5) * target.step)


def _at_least(
    grid_BHG: NDArray[np.float64], level_G: NDArray[np.float64], threshold_B: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return 1 - F(threshold), F linear between the grid's points and left-continuous at steps."""
    below_BHG = grid_BHG < threshold_B[:, None, None]
    last = below_BHG.sum(axis=-1, keepdims=True) - 1
    left = np.clip(last, 0, grid_BHG.shape[-1] - 2)
    x0, x1 = (np.take_along_axis(grid_BHG, left + step, axis=-1)[..., 0] for step in (0, 1))
    p0, p1 = (level_G[left + step][..., 0] for step in (0, 1))
    width = np.where(x1 > x0, x1 - x0, 1.0)
    inside = np.clip((threshold_B[:, None] - x0) / width, 0.0, 1.0)
    # Nothing on the grid lies below: certain to be reached. All of it does: out of reach.
    chance = 1.0 - (p0 + inside * (p1 - p0))
    chance = np.where(last[..., 0] < 0, 1.0, chance)
    return np.where(last[..., 0] >= grid_BHG.shape[-1] - 1, 0.0, chance)
