"""What few people leave uncertain: ranges widened where few are alike, and what more would settle.

A forecast is uncertain because a person's course is open, and because a model of some people is one
of many that it could have become with others. The two add up as variances. How large the second is
was measured where the model was trained (`training.fitting.joining.variance_by_people`), on people
whom the networks had not seen, and is kept as its share of the whole at each horizon.

Letters: B pairs, H horizons, Q quantile levels, N outcomes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from contracts.forecast import LOWER_80, MEDIAN, QUANTILE_LEVELS, UPPER_80
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.offsets import calibrate, learn_offsets
from inference.similar import FEWEST

FULL_CAUTION = 1.0
CAUTIONS = (0.2, 0.5, 1.0, 2.0)
"""Never none, so that fewer people are never surer; up to twice what the theory asks of a range
that rests on those people alone."""

FEWEST_OUTCOMES = 100
"""Without so many outcomes the caution is not learned, but full."""

WIDTH_OF_ONE = 2 * float(ndtri(0.9))
"""Width of the 80 % range of a normal distribution, in standard deviations."""

Array = NDArray[np.float64]


def widened(
    quantiles_BHQ: Array,
    similar_BH: NDArray[np.int32],
    low: float,
    high: float,
    caution: float = FULL_CAUTION,
) -> Array:
    """Widen forecasts as far as so few similar people leave them uncertain; the median stays.

    Of n people like this one and the next, the next has each of the n + 1 ranks with the same
    chance: a range that n of them made must be that of the level c (1 + 1/n) to hold the next
    with chance c (split conformal prediction; Vovk 2005, Romano 2019). Between the outer levels
    the distribution is as forecast, beyond them it has the tails of a normal one, and the level of
    all is the whole scale. With fewer than `FEWEST` the range is that of `FEWEST`: such a forecast
    is not given.

    Parameters
    ----------
    caution
        The share of 1/n that is added: networks learn of a person also from those who are less
        alike, and how much that is worth is learned (`learn_caution`).
    """
    factor_BH1 = 1 + caution / np.maximum(similar_BH, FEWEST)[..., None]
    level_Q = np.array(QUANTILE_LEVELS)
    wider_BHQ = np.clip(0.5 + (level_Q - 0.5) * factor_BH1, 0, 1)
    # The levels are equally far apart.
    last = len(level_Q) - 1
    place_BHQ = np.clip((wider_BHQ - level_Q[0]) / (level_Q[1] - level_Q[0]), 0, last)
    left_BHQ = np.minimum(place_BHQ.astype(np.int64), last - 1)
    left, right = (np.take_along_axis(quantiles_BHQ, left_BHQ + step, axis=-1) for step in (0, 1))
    inside_BHQ = left + (place_BHQ - left_BHQ) * (right - left)
    middle_BH1 = quantiles_BHQ[..., MEDIAN, None]
    tail_BHQ = np.maximum(np.abs(ndtri(wider_BHQ)) / ndtri(level_Q[-1]), 1.0)
    with np.errstate(invalid="ignore"):
        wide_BHQ = middle_BH1 + (inside_BHQ - middle_BH1) * tail_BHQ
    # Nothing is infinitely wide at an end of the scale where all quantiles are the same.
    ends_Q = np.where(level_Q < level_Q[MEDIAN], low, high)
    wide_BHQ = np.where(np.isfinite(tail_BHQ), wide_BHQ, ends_Q)
    wide_BHQ[..., MEDIAN] = quantiles_BHQ[..., MEDIAN]
    return np.asarray(np.clip(wide_BHQ, low, high))


def learn_caution(
    raw_BHQ: Array,
    similar_BH: NDArray[np.int32],
    batch: SequenceBatch,
    truth_BH: NDArray[np.float32],
    task: Task,
) -> float:
    """Choose the caution whose calibrated forecasts have the lowest CRPS.

    Parameters
    ----------
    raw_BHQ
        Forecasts of people whom the networks had not seen.
    truth_BH
        Outcomes of the forecasts that are given, otherwise NaN.
    """
    known_BH = ~np.isnan(truth_BH)
    if known_BH.sum() < FEWEST_OUTCOMES:
        return FULL_CAUTION
    low, high = task.target.low, task.target.high
    level_Q, days_B = np.array(QUANTILE_LEVELS), batch.days_since_onset_BT[:, -1]
    losses = []
    for caution in CAUTIONS:
        wide_BHQ = widened(raw_BHQ, similar_BH, low, high, caution)
        offsets = learn_offsets(truth_BH, wide_BHQ, batch.groups_B, days_B, batch.subject_B)
        calibrated_BHQ = calibrate(wide_BHQ, offsets.of_pairs(batch.groups_B, days_B), low, high)
        miss_NQ = truth_BH[known_BH][:, None] - calibrated_BHQ[known_BH]
        losses.append(float(np.maximum(level_Q * miss_NQ, (level_Q - 1) * miss_NQ).mean()))
    return CAUTIONS[int(np.argmin(losses))]


def share_by_people(variance_BH: Array, quantiles_BHQ: Array, given_BH: NDArray[np.bool_]) -> Array:
    """Return which share of the variance of a forecast is that of its median by people, (H,).

    Parameters
    ----------
    variance_BH
        Of each median, if other people had been learned from; score points squared.
    quantiles_BHQ
        The calibrated forecasts.
    given_BH
        Which of them are given; a horizon without any has a share of 0.
    """
    width_BH = quantiles_BHQ[..., UPPER_80] - quantiles_BHQ[..., LOWER_80]
    by_people_H = np.where(given_BH, variance_BH, 0).sum(axis=0)
    all_H = np.where(given_BH, (width_BH / WIDTH_OF_ONE) ** 2, 0).sum(axis=0)
    share_H = np.divide(by_people_H, all_H, out=np.zeros_like(all_H), where=all_H > 0)
    return np.asarray(share_H.clip(0, 1))


def width_of_many(width: float, share: float) -> float:
    """Return how wide a range would be if its model had learned from any number of people."""
    return float(width * np.sqrt(1 - share))
