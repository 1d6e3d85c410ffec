"""Chances of reaching milestones, computed from a forecast's quantiles.

A milestone is *reached by* a week if today's score reaches it, or that of an assessment after today
up to that week: one that is seen once counts, also where a later score is lower again. Each score
scatters around the patient's course, so that the best of several is likely to be higher than any
one of them: the chance is that of all of them together, not the highest of their own.

Letters: B pairs, H horizons, Q quantile levels, M milestones, K points of the integral.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Milestone, Target, Task

ROUNDING = 1e-6
"""Largest error of a score in single precision, as a share of the scale."""

USUAL_CORRELATION = 0.65
"""Between two of a patient's scores about their forecasts, where it was not learned: a little
above the 0.58 and 0.62 learned of the real and a simulated stroke cohort (`make bench
NAME=patterns`)."""

NODE_K, WEIGHT_K = np.polynomial.hermite_e.hermegauss(32)
"""Of the integral over a standard normal variable (Gauss and Hermite)."""

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """How a patient's scores at several visits hang together.

    Parameters
    ----------
    correlation
        Of any two scores of a patient about their forecasts, on the normal scale: what is shared is
        the patient's course, the rest the error of each visit.
    moved_MH
        Added to the logit of each milestone's chance, so that nearer as many reach it as was said
        (calibration in the large, the nearer the more people it was learned of); a single column
        holds for all horizons.
    """

    correlation: float
    moved_MH: Array


def usual_visits(task: Task) -> Visits:
    """Return what is taken where nothing was learned, as of a comparator."""
    moved_MH = np.zeros((len(task.milestones), 1))
    return Visits(correlation=USUAL_CORRELATION, moved_MH=moved_MH)


def chances(
    quantiles_BHQ: Array,
    last_score_B: NDArray[np.float32],
    task: Task,
    visits: Visits | None = None,
    *,
    counted_BH: Flags | None = None,
    assessed_B: Flags | None,
) -> dict[str, Array]:
    """Return the chance that each milestone is reached by each horizon, (B, H) by name.

    The distribution between two levels is taken as uniform, and the 5 % beyond the outer levels as
    uniform up to the end of the scale. Of several assessments the chance is that of a Gaussian
    copula with one factor, the patient's course (Vasicek 1987): given it, scores are independent.

    Forecasts are continuous and scores come in steps, so a score counts as reached from half a
    step below it (a continuity correction; without it, almost nobody could reach the best score
    of a scale of 0 and 1).

    Parameters
    ----------
    visits
        None: the usual ones.
    counted_BH
        Which assessments there are, of those after the forecast's day; None: all.
    assessed_B
        Whose last score was observed (`assessed`); None: everybody's. An assumed one reaches
        nothing. Without a default: who forgets it takes assumed scores for observed ones.
    """
    visits = usual_visits(task) if visits is None else visits
    counted_BH = np.ones(quantiles_BHQ.shape[:2], np.bool_) if counted_BH is None else counted_BH
    level_G, grid_BHG = distribution(quantiles_BHQ, task.target)
    chance = {}
    for milestone, moved_H in zip(task.milestones, visits.moved_MH, strict=True):
        needed_B = _needed(milestone, last_score_B, task.target)
        own_BH = at_least(grid_BHG, level_G, _between_scores(needed_B, task.target))
        by_BH = _by_any(own_BH, counted_BH, visits.correlation)
        # Certain and impossible stay so: their logit is infinite.
        with np.errstate(divide="ignore"):
            by_BH = np.maximum.accumulate(expit(logit(by_BH) + moved_H), axis=1)
        today_B = _today(milestone, last_score_B, task.target, assessed_B)
        chance[milestone.name] = np.where(today_B[:, None], 1.0, by_BH)
    return chance


def reached(
    truth_BH: NDArray[np.float32],
    last_score_B: NDArray[np.float32],
    task: Task,
    *,
    assessed_B: Flags | None,
) -> dict[str, Flags]:
    """Say whether each milestone was reached by each horizon, (B, H) by name.

    By the assessments that took place; False where nothing was observed until then.
    """
    target = task.target
    best_BH = np.fmax.accumulate(target.direction * truth_BH, axis=1)
    slack = ROUNDING * (target.high - target.low)
    return {
        milestone.name: _today(milestone, last_score_B, target, assessed_B)[:, None]
        | (best_BH >= _needed(milestone, last_score_B, target)[:, None] - slack)
        for milestone in task.milestones
    }


def reached_today(last_score: float, task: Task) -> tuple[str, ...]:
    """Return the milestones that an observed score reaches already."""
    last_B = np.array([last_score], dtype=np.float32)
    return tuple(m.name for m in task.milestones if _today(m, last_B, task.target, None)[0])


def needed_share(milestone: Milestone, last_score: float, target: Target) -> float:
    """Return the share of the scale from which a milestone counts as reached."""
    last_B = np.array([last_score], dtype=np.float32)
    least = float(_between_scores(_needed(milestone, last_B, target), target)[0])
    return (least - target.direction * target.worst) / (target.high - target.low)


def assessed(batch: SequenceBatch, task: Task) -> Flags:
    """Say whose last score was observed and not assumed."""
    channel = batch.layout.channels_C.index(task.target.code)
    return np.asarray(batch.observed_BTC[:, :, channel].any(axis=1))


def distribution(quantiles_BHQ: Array, target: Target) -> tuple[Array, Array]:
    """Return levels and points of the distribution of what is better, (G,) and (B, H, G)."""
    ends = (*quantiles_BHQ.shape[:2], 1)
    grid_BHG = np.concatenate(
        [np.full(ends, target.low), quantiles_BHQ, np.full(ends, target.high)], axis=-1
    )
    if target.better == "lower":
        # The chance of at most t is that of at least -t of the score with its sign changed, and
        # the levels are symmetric.
        grid_BHG = -grid_BHG[..., ::-1]
    return np.array([0.0, *QUANTILE_LEVELS, 1.0]), grid_BHG


def _by_any(own_BH: Array, counted_BH: Flags, correlation: float) -> Array:
    """Return the chance that at least one of the visits up to each horizon reaches it, (B, H)."""
    below_BH1 = ndtri(1 - own_BH)[..., None]
    shared, alone = np.sqrt(correlation), np.sqrt(1 - correlation)
    missed_BHK = ndtr((below_BH1 - shared * NODE_K) / alone)
    missed_BHK = np.where(counted_BH[..., None], missed_BHK, 1.0)
    by_BH = 1 - np.cumprod(missed_BHK, axis=1) @ (WEIGHT_K / WEIGHT_K.sum())
    # The integral is exact to 1e-6; what follows from a single visit is exact.
    at_least_BH = np.maximum.accumulate(np.where(counted_BH, own_BH, 0.0), axis=1)
    first_BH = np.cumsum(counted_BH, axis=1) <= 1
    return np.clip(np.where(first_BH, at_least_BH, np.maximum(by_BH, at_least_BH)), 0.0, 1.0)


def _today(
    milestone: Milestone,
    last_score_B: NDArray[np.float32],
    target: Target,
    assessed_B: Flags | None,
) -> Flags:
    """Say whose last score reaches a milestone already; a gain since then never is."""
    if milestone.gain_at_least is not None:
        return np.zeros(len(last_score_B), dtype=np.bool_)
    slack = ROUNDING * (target.high - target.low)
    good_B = target.direction * last_score_B.astype(np.float64)
    is_reached_B = good_B >= _needed(milestone, last_score_B, target) - slack
    return np.asarray(is_reached_B if assessed_B is None else is_reached_B & assessed_B)


def _needed(milestone: Milestone, last_score_B: NDArray[np.float32], target: Target) -> Array:
    """Return the score to reach, its sign changed where a lower one is better, (B,)."""
    if milestone.gain_at_least is not None:
        signed_B = target.direction * last_score_B.astype(np.float64)
        return np.asarray(signed_B + milestone.gain_at_least)
    level = milestone.at_least if target.better == "higher" else milestone.at_most
    return target.direction * np.full(len(last_score_B), level, dtype=np.float64)


def _between_scores(needed_B: Array, target: Target) -> Array:
    """Return half a step before the first score that is enough, (B,)."""
    if target.step == 0:
        return needed_B
    start = target.direction * target.worst
    # Slightly less before rounding up: 0.3 / 0.01 is not exactly 30 in floating point.
    tolerance = ROUNDING * (target.high - target.low)
    steps_B = np.ceil((needed_B - start - tolerance) / target.step)
    return np.asarray(start + (steps_B - 0.5) * target.step)


def at_least(grid_BHG: Array, level_G: Array, threshold_B: Array) -> Array:
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
