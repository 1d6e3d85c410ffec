"""Writes forecasts beside what happened, in the form that an audit reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts import predictions as columns
from contracts.cohort import WEAR_TIME, Cohort
from contracts.groups import group_column
from contracts.sequences import Layout, SequenceBatch
from contracts.task import Task
from features.follow_up import ends_of, follow_up_rows
from features.sequences import cohort_sequences
from inference.milestones import chances, reached
from training.fitting.config import TrainingConfig
from training.split import HELD_OUT, fold_of_subjects

THERAPY = "REHABCAST//THERAPY"
"""Daily, but noted by people and not by a device."""


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
    for name, column_B in _worn(batch, task).items():
        table[name] = column_B[row]
    for attribute in task.sensitive:
        label_N = batch.groups_B[attribute.name].to_numpy(dtype=object)[row]
        table[columns.GROUP + attribute.name] = group_column(attribute, label_N)
    return table


def follow_up_table(
    cohort: Cohort,
    layout: Layout,
    task: Task,
    config: TrainingConfig,
    split: dict[int, int],
    predictions: pd.DataFrame,
) -> pd.DataFrame:
    """Return what became of every outcome that was due (`contracts.predictions`).

    Held-out people are left out, as they are of the prediction table. Of people without any
    outcome, who are in no split, the same share is held out, so that they count neither more nor
    less than others.

    Parameters
    ----------
    split
        Fold of each subject with an outcome.
    predictions
        The prediction table, for the early errors.
    """
    batch = cohort_sequences(cohort.events, task, layout, outcomes=False)
    ends = ends_of(cohort.events, dates_shifted=cohort.provenance.dates_shifted)
    rows = follow_up_rows(batch, ends, task)
    subjects = np.unique(rows[columns.SUBJECT].to_numpy(dtype=np.int64))
    others = np.setdiff1d(subjects, np.array(list(split), dtype=np.int64))
    of_others = fold_of_subjects(others, config.folds, config.held_out_share, seed=config.seed)
    held_out = [s for s, fold in {**split, **of_others}.items() if fold == HELD_OUT]
    kept = rows[~rows[columns.SUBJECT].isin(held_out)]
    return _with_early_errors(kept, predictions)


def _with_early_errors(rows: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Add the error of each forecast's last earlier horizon that was observed."""
    rows = rows.sort_values([columns.HORIZON, columns.SUBJECT, columns.ORIGIN], kind="stable")
    if columns.TRUTH not in predictions.columns:
        return rows.assign(**{columns.EARLY_ERROR: np.nan}).reset_index(drop=True)
    candidate = predictions[predictions[columns.MODEL] == columns.CANDIDATE]
    errors = candidate[[columns.SUBJECT, columns.ORIGIN, columns.HORIZON]].assign(
        **{columns.EARLY_ERROR: candidate["q50"] - candidate[columns.TRUTH]}
    )
    return pd.merge_asof(
        rows,
        errors.sort_values(columns.HORIZON),
        on=columns.HORIZON,
        by=[columns.SUBJECT, columns.ORIGIN],
        allow_exact_matches=False,
    )


def _worn(batch: SequenceBatch, task: Task) -> dict[str, NDArray[np.float64]]:
    """Return how each pair's past was worn: what an audit needs to see who is measured less."""
    layout = batch.layout
    devices = set(task.inputs.daily) - {THERAPY}
    of_device_C = np.array([code in devices for code in layout.channels_C], dtype=np.bool_)
    if not of_device_C.any():
        return {}
    without_BT = ~batch.observed_BTC[:, :, of_device_C].any(axis=2)
    wear = {columns.UNOBSERVED_SHARE: without_BT.mean(axis=1)}
    if WEAR_TIME in layout.channels_C:
        channel = layout.channels_C.index(WEAR_TIME)
        hours_BT = np.where(batch.observed_BTC[:, :, channel], batch.values_BTC[:, :, channel], 0)
        wear[columns.WEAR_HOURS] = np.median(hours_BT, axis=1).astype(np.float64)
    return wear
