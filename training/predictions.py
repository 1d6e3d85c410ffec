"""Writes forecasts beside what happened, in the form that an audit reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts import predictions as columns
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.milestones import chances, reached


def prediction_table(
    batch: SequenceBatch, quantiles_BHQ: NDArray[np.float64], task: Task, *, model: str
) -> pd.DataFrame:
    """Return one row per pair and horizon with an observed outcome (`contracts.predictions`)."""
    row, horizon = np.nonzero(~np.isnan(batch.truth_BH))
    last_N = batch.last_score_B[row].astype(np.float64)
    table = pd.DataFrame(
        {
            columns.MODEL: model,
            columns.SUBJECT: batch.subject_B[row],
            columns.ORIGIN: batch.origin_day_B[row],
            columns.HORIZON: np.array(batch.layout.horizon_days_H)[horizon],
            columns.DAYS_SINCE_ONSET: batch.days_since_onset_BT[row, -1].astype(np.float64),
            columns.LAST_SCORE: last_N,
            columns.TRUTH: batch.truth_BH[row, horizon].astype(np.float64),
        }
    )
    table[list(columns.QUANTILE_COLUMNS)] = quantiles_BHQ[row, horizon]
    for name, chance_BH in chances(quantiles_BHQ, batch.last_score_B, task).items():
        table[columns.CHANCE + name] = chance_BH[row, horizon]
    for name, reached_BH in reached(batch.truth_BH, batch.last_score_B, task).items():
        table[columns.REACHED + name] = reached_BH[row, horizon]
    for attribute in task.sensitive:
        table[columns.GROUP + attribute.name] = batch.groups_B[attribute.name].to_numpy()[row]
    return table
