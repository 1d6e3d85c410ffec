"""Scores of instruments as rows, each with its times, and padded to arrays.

Letters: B pairs, R rows (pairs or subjects), N scores, W scores of one row, H horizons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.sequences import SequenceBatch
from contracts.task import Task

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores of several rows, one an entry.

    Parameters
    ----------
    row_N, channel_N
        Which row, and which of the channels that were asked for.
    since_onset_N, since_enrolment_N
        Days.
    value_N
        In the vocabulary's units.
    """

    row_N: Whole
    channel_N: Whole
    since_onset_N: Array
    since_enrolment_N: Array
    value_N: Array

    def keep(self, rows: NDArray[np.bool_] | Whole) -> Scores:
        """Return some of the scores."""
        return Scores(
            row_N=self.row_N[rows],
            channel_N=self.channel_N[rows],
            since_onset_N=self.since_onset_N[rows],
            since_enrolment_N=self.since_enrolment_N[rows],
            value_N=self.value_N[rows],
        )


def past_scores(batch: SequenceBatch, channels: Sequence[int]) -> Scores:
    """Return each score of each pair's past; a row is a pair."""
    pair, day, channel = np.nonzero(batch.observed_BTC[:, :, list(channels)])
    back = batch.observed_BTC.shape[1] - 1 - day
    return Scores(
        row_N=pair,
        channel_N=channel,
        since_onset_N=batch.days_since_onset_BT[pair, day].astype(np.float64),
        since_enrolment_N=(batch.origin_day_B[pair] - back).astype(np.float64),
        value_N=batch.values_BTC[pair, day, np.array(channels)[channel]].astype(np.float64),
    )


def whole_courses(
    train: SequenceBatch, task: Task, channels: Sequence[int]
) -> tuple[Scores, Whole]:
    """Return each score of each training subject once, outcomes too, and a pair of each subject.

    The target is the first channel. An outcome whose nominal day is in the past of a later pair of
    the subject is there with its true day already: as two scores it would tell of less noise than
    there is.

    Returns
    -------
    The scores, whose rows are subjects, and the first pair of each subject, (R,).
    """
    _, first_R, subject_B = np.unique(train.subject_B, return_index=True, return_inverse=True)
    last_origin_R = np.full(len(first_R), -1, dtype=np.int64)
    np.maximum.at(last_origin_R, subject_B, train.origin_day_B)
    past = past_scores(train, channels)
    horizon_H = np.array(train.layout.horizon_days_H)
    later_BH = horizon_H > last_origin_R[subject_B][:, None]
    pair, horizon = np.nonzero(~np.isnan(train.truth_BH) & later_BH)
    ahead = horizon_H[horizon] - train.origin_day_B[pair]
    onset_N = train.days_since_onset_BT[pair, -1] + ahead
    together = Scores(
        row_N=np.concatenate([subject_B[past.row_N], subject_B[pair]]),
        channel_N=np.concatenate([past.channel_N, np.zeros_like(pair)]),
        since_onset_N=np.concatenate([past.since_onset_N, onset_N.astype(np.float64)]),
        since_enrolment_N=np.concatenate(
            [past.since_enrolment_N, horizon_H[horizon].astype(np.float64)]
        ),
        value_N=np.concatenate([past.value_N, train.truth_BH[pair, horizon].astype(np.float64)]),
    )
    keys = np.stack([together.row_N, together.channel_N, together.since_enrolment_N])
    _, once = np.unique(keys, axis=1, return_index=True)
    return together.keep(once), first_R


def places(row_N: Whole, rows: int) -> tuple[Whole, int]:
    """Return the place of each score within its row, counted in order, and the longest row."""
    order = np.argsort(row_N, kind="stable")
    count_R = np.bincount(row_N, minlength=rows)
    start_R = np.cumsum(count_R) - count_R
    place_N = np.empty(len(row_N), dtype=np.int64)
    place_N[order] = np.arange(len(row_N)) - start_R[row_N[order]]
    return place_N, max(1, int(count_R.max(initial=0)))


def padded(x_N: Array, row_N: Whole, rows: int) -> Array:
    """Return values as an array with a row each, (R, W), filled up with NaN."""
    place_N, width = places(row_N, rows)
    x_RW = np.full((rows, width), np.nan)
    x_RW[row_N, place_N] = x_N
    return x_RW


def a_sample(subjects: Whole, most: int, *, seed: int) -> NDArray[np.bool_]:
    """Return for each entry whether its subject is among at most `most` that are drawn."""
    distinct = np.unique(subjects)
    if len(distinct) <= most:
        return np.ones(len(subjects), dtype=np.bool_)
    drawn = np.random.default_rng(seed).choice(distinct, most, replace=False)
    return np.asarray(np.isin(subjects, drawn), dtype=np.bool_)
