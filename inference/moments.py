"""Where people stand on the day of a forecast: time since onset, score, and how it changed.

Letters: B pairs, T days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.sequences import SequenceBatch
from contracts.task import Target, Task

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Where people stand on the day of a forecast.

    Parameters
    ----------
    days_B
        Since onset.
    score_B
        Last score, as share of the way from the worst to the best.
    change_B
        The largest loss (below 0) or gain of the last score against an earlier one of the past,
        whichever is larger, in points of improvement; NaN where there is no earlier one.
    reference_B
        The score that it is measured against.
    drop_B
        The largest loss of any score of the past against an earlier one, at most 0, whether it was
        made up since or not, in points of improvement; NaN where there is no earlier one.
    """

    days_B: Array
    score_B: Array
    change_B: Array
    reference_B: Array
    drop_B: Array


def moments(batch: SequenceBatch, task: Task) -> Moments:
    """Return where each pair stands."""
    target, span = task.target, task.target.high - task.target.low
    channel = batch.layout.channels_C.index(target.code)
    seen_BT = batch.observed_BTC[:, :, channel]
    good_BT = target.direction * batch.values_BTC[:, :, channel].astype(np.float64)
    place_T = np.arange(seen_BT.shape[1])
    newest_B = np.where(seen_BT, place_T, -1).max(axis=1)
    earlier_BT = seen_BT & (place_T < newest_B[:, None])
    last_B = target.direction * batch.last_score_B.astype(np.float64)
    best_B = np.where(earlier_BT, good_BT, -np.inf).max(axis=1)
    worst_B = np.where(earlier_BT, good_BT, np.inf).min(axis=1)
    fell_B = best_B - last_B >= last_B - worst_B
    known_B = earlier_BT.any(axis=1)
    best_so_far_BT = np.maximum.accumulate(np.where(seen_BT, good_BT, -np.inf), axis=1)
    drop_BT = np.where(seen_BT, good_BT - best_so_far_BT, 0)
    reference_B = np.where(known_B, np.where(fell_B, best_B, worst_B), np.nan)
    return Moments(
        days_B=batch.days_since_onset_BT[:, -1].astype(np.float64),
        score_B=(last_B - target.direction * target.worst) / span,
        change_B=last_B - reference_B,
        reference_B=target.direction * reference_B,
        drop_B=np.where(known_B, drop_BT.min(axis=1), np.nan),
    )


def log_change(change_B: Array, target: Target) -> Array:
    """Return a change on a scale on which large ones are as far apart as they differ by a factor.

    Its unit is the minimal important difference, which is about the error of a single score (5
    points of the Fugl-Meyer: Wagner 2008): smaller changes are all near 0.
    """
    return np.asarray(
        np.sign(change_B) * np.log1p(np.abs(change_B) / target.minimal_important_difference)
    )


def worsened(change_B: Array, target: Target) -> NDArray[np.bool_]:
    """Say who lost more than the error of a score."""
    return np.asarray(change_B < -target.minimal_important_difference)
