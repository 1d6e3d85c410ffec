"""What one more score of the instrument would be worth: how much narrower the range would be.

It is asked of the served model itself. Each score that it thinks possible on a later day is added
to the record, the forecast is made anew on that day, and the widths of its ranges are averaged: the
expected value of sample information (Raiffa and Schlaifer 1961), in width instead of utility.

Letters: T days, C channels, S possible scores, H horizons, Q quantile levels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from contracts.forecast import LOWER_80, MEDIAN, UPPER_80
from contracts.sequences import SequenceBatch
from contracts.task import Target
from inference.bundle import Bundle, forecast_batch

Array = NDArray[np.float64]

DAYS = 14

MOSTLY = 0.5
"""Share of the possible scores after which there must be a forecast."""


class Unknown(StrEnum):
    """Why it is not known what a measurement would be worth."""

    NO_LATER_FORECAST = "no forecast is made so late"
    HORIZON_PASSED = "the horizon is before that day"
    TOO_FEW_PEOPLE = "there would mostly be no forecast then: too few people are alike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Width of the 80 % range at one horizon, now and after one more score.

    Parameters
    ----------
    now, expected
        Score points; the latter on average over the scores that may be measured.
    """

    now: float
    expected: float


def worth_measuring(
    bundle: Bundle, batch: SequenceBatch, quantiles_HQ: Array, horizon: int, *, days: int = DAYS
) -> Worth | Unknown:
    """Return what one more score `days` after the origin of a pair would be worth.

    Nothing else is measured until then. The horizon stays the same day of the calendar.

    Parameters
    ----------
    batch, quantiles_HQ
        One pair, and its calibrated forecast.
    horizon
        Index of the horizon.
    """
    task, origin = bundle.task, int(batch.origin_day_B[0])
    if origin + days > task.last_origin_day:
        return Unknown.NO_LATER_FORECAST
    if task.horizons[horizon].day <= origin + days:
        return Unknown.HORIZON_PASSED
    possible_S = possible_scores(
        quantiles_HQ, task.target, np.array(batch.layout.horizon_days_H) - origin,
        float(batch.last_score_B[0]), days,
    )  # fmt: skip
    later = measured_later(batch, task.target, possible_S, days)
    seen = bundle.calibration.seen
    given_S = seen.given(seen.similar(later, task), later)[:, horizon]
    if given_S.mean() < MOSTLY:
        return Unknown.TOO_FEW_PEOPLE
    later_SQ = forecast_batch(bundle, later)[:, horizon]
    width_S = later_SQ[:, UPPER_80] - later_SQ[:, LOWER_80]
    return Worth(
        now=float(quantiles_HQ[horizon, UPPER_80] - quantiles_HQ[horizon, LOWER_80]),
        expected=float(width_S[given_S].mean()),
    )


def possible_scores(
    quantiles_HQ: Array, target: Target, ahead_H: NDArray[np.integer], last: float, days: int
) -> Array:
    """Return the scores that a forecast thinks as likely as each other on a day, (Q,).

    Each level's quantile is linear in time between two horizons. Before the first one the median
    is linear from the last score, and the distances to it grow with the root of time, as those of
    a random walk; after the last one nothing changes.

    Parameters
    ----------
    ahead_H
        Days from the origin to each horizon; one that is past is left out.
    """
    coming = ahead_H > 0
    ahead, quantiles = ahead_H[coming], quantiles_HQ[coming]
    if days < ahead[0]:
        share = days / ahead[0]
        median = quantiles[0, MEDIAN]
        scores_Q = last + share * (median - last) + np.sqrt(share) * (quantiles[0] - median)
    else:
        scores_Q = np.array([np.interp(days, ahead, level) for level in quantiles.T])
    if target.step:
        scores_Q = target.low + np.round((scores_Q - target.low) / target.step) * target.step
    return np.asarray(np.clip(scores_Q, target.low, target.high))


def measured_later(
    batch: SequenceBatch, target: Target, scores_S: Array, days: int
) -> SequenceBatch:
    """Return one pair some days later, with each of several scores on the last of them."""
    rows = np.zeros(len(scores_S), dtype=np.int64)
    pair = batch.take(rows)
    channel = batch.layout.channels_C.index(target.code)
    values_BTC, observed_BTC = np.zeros_like(pair.values_BTC), np.zeros_like(pair.observed_BTC)
    if days < values_BTC.shape[1]:
        values_BTC[:, :-days], observed_BTC[:, :-days] = (
            pair.values_BTC[:, days:], pair.observed_BTC[:, days:],
        )  # fmt: skip
    values_BTC[:, -1, channel], observed_BTC[:, -1, channel] = scores_S, True
    return replace(
        pair,
        values_BTC=values_BTC,
        observed_BTC=observed_BTC,
        days_since_onset_BT=pair.days_since_onset_BT + np.float32(days),
        origin_day_B=pair.origin_day_B + days,
        last_score_B=scores_S.astype(np.float32),
        truth_BH=np.full_like(pair.truth_BH, np.nan),
    )
