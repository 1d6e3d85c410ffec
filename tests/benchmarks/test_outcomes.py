"""The benchmark of yes-or-no outcomes: what counts as reached before anybody was asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from outcomes import chance

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task


def test_the_score_that_a_task_assumes_reaches_no_milestone(
    batch: SequenceBatch, task: Task
) -> None:
    """People without a score of their own once all had a chance of 1, whatever was forecast."""
    milestones = tuple(m for m in task.milestones if m.at_least is not None)
    best_B = np.full_like(batch.last_score_B, task.target.high)
    seen = replace(batch, last_score_B=best_B, observed_BTC=np.ones_like(batch.observed_BTC))
    assumed = replace(seen, observed_BTC=np.zeros_like(batch.observed_BTC))
    low_Q = np.linspace(0, 20, len(QUANTILE_LEVELS))
    quantiles_BHQ = np.broadcast_to(low_Q, (*batch.truth_BH.shape, len(low_Q)))
    one = task.model_copy(update={"milestones": milestones[:1]})
    assert chance(quantiles_BHQ, seen, one).min() == 1
    assert chance(quantiles_BHQ, assumed, one).max() < 0.1
