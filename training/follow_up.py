"""Writes what became of every outcome that was due, beside the prediction table."""

from __future__ import annotations

from collections.abc import Collection

import meds
import numpy as np
import pandas as pd

from contracts import predictions as columns
from contracts.cohort import Cohort
from contracts.task import Task
from features.cohort.follow_up import ends_of, follow_up_rows
from features.sequences import cohort_sequences
from training.fitting.config import TrainingConfig
from training.predictions import with_clusters
from training.split import Parts, fold_of_subjects


def follow_up_table(
    cohort: Cohort,
    task: Task,
    config: TrainingConfig,
    parts: Parts,
    predictions: pd.DataFrame,
    days: Collection[int],
) -> pd.DataFrame:
    """Return what became of every outcome that was due (`contracts.predictions`).

    Only of people whom the prediction table is about. People without any outcome are in no part:
    they are left out where the dataset declares them held out; where it declares nobody, as many of
    them are left out as of the others, so that they count neither more nor less.

    Parameters
    ----------
    parts
        Where the people with an outcome are.
    predictions
        The prediction table, for the early errors.
    days
        Of the horizons that are served: nothing is due where nobody is given a forecast.
    """
    layout = parts.train.layout
    batch = cohort_sequences(cohort.events, task, layout, outcomes=False)
    ends = ends_of(cohort.events, dates_shifted=cohort.provenance.dates_shifted)
    rows = follow_up_rows(batch, ends, task)
    subjects = rows[columns.SUBJECT].unique().tolist()
    others = np.array([s for s in subjects if s not in parts.fold_of], dtype=np.int64)
    share = 0.0 if meds.held_out_split in cohort.splits.values() else config.held_out_share
    fold_of = fold_of_subjects(others, config.folds, share, seed=config.seed) | parts.fold_of
    judged = {
        subject
        for subject, fold in fold_of.items()
        if fold >= 0
        and (
            subject in parts.fold_of
            or cohort.splits.get(subject, meds.train_split) == meds.train_split
        )
    }
    kept = rows[rows[columns.SUBJECT].isin(judged) & rows[columns.HORIZON].isin(days)]
    return with_clusters(_with_early_errors(kept, predictions), cohort, task)


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
