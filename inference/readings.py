"""Two readings of a course with a fall in it, and a forecast that is no surer than either.

Models of recovery learn from people who recover: to them a score that fell is an error of the
assessment, and the lost points come back. It may as well be a new event, and today's score where
the patient stands. If the points have come back, what the low score tells is as open: a bad day
says nothing of recovery, and to a model it is one score more that makes it surer. Until somebody
has found out, a forecast covers both: at each level it is as wide as the wider of the two. Its
median stays that of the record as it is.

Letters: B pairs, N those who fell, H horizons, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contracts.forecast import MEDIAN
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.moments import moments, worsened

Array = NDArray[np.float64]


def covering_both(
    raw_BHQ: Array,
    batch: SequenceBatch,
    task: Task,
    forecast: Callable[[SequenceBatch], Array],
) -> Array:
    """Widen the forecasts of those whose score ever fell to what they would be at a steady score.

    Parameters
    ----------
    raw_BHQ
        Forecasts of the batch; a batch of one applies to many.
    forecast
        Makes those of some pairs: it is asked for those who fell, `steadied`, and for nobody else.
    """
    fell_B = fell(batch, task)
    if not fell_B.any():
        return raw_BHQ
    steady_NHQ = forecast(steadied(batch.take(fell_B), task))
    rows = fell_B if len(batch) > 1 else slice(None)
    own_NHQ = raw_BHQ[rows]
    lower_NHQ, upper_NHQ = np.minimum(own_NHQ, steady_NHQ), np.maximum(own_NHQ, steady_NHQ)
    both_NHQ = np.where(np.arange(raw_BHQ.shape[-1]) < MEDIAN, lower_NHQ, upper_NHQ)
    both_NHQ[..., MEDIAN] = own_NHQ[..., MEDIAN]
    covering_BHQ = raw_BHQ.copy()
    covering_BHQ[rows] = both_NHQ
    return covering_BHQ


def fell(batch: SequenceBatch, task: Task) -> NDArray[np.bool_]:
    """Say whose score ever fell by more than its error, whether it has risen since or not."""
    return worsened(moments(batch, task).drop_B, task.target)


def steadied(batch: SequenceBatch, task: Task) -> SequenceBatch:
    """Return the same pairs as if every score of the past had been the last one."""
    channel = batch.layout.channels_C.index(task.target.code)
    values_BTC = batch.values_BTC.copy()
    values_BTC[:, :, channel] = np.where(
        batch.observed_BTC[:, :, channel], batch.last_score_B[:, None], 0
    )
    return replace(batch, values_BTC=values_BTC)
