"""Checks for data leakage, which raise an error before a benchmark prints a leaderboard.

Letters: B pairs, T days, C channels, H horizons, N rows, F features.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, ONSET, SUBJECT, TIME
from contracts.errors import IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import cohort_sequences
from training.models import Predict
from training.models.tabular_features import tabular_features

TOLERANCE = 1e-3
"""Score points by which a forecast may differ between batches because of rounding."""

LARGEST_CORRELATION = 0.995
MINIMUM_ROWS = 30


def check_folds(train: SequenceBatch, unseen: SequenceBatch) -> None:
    """Refuse a fold whose training and test parts share a subject.

    Raises
    ------
    IntegrityError
        They share one.
    """
    if shared := set(train.subject_B.tolist()) & set(unseen.subject_B.tolist()):
        raise IntegrityError(
            f"leak: {len(shared)} subject(s) are on both sides of a fold",
            "assign folds by subject, so that all rows of a subject are on one side",
        )


def check_no_lookahead(events: pd.DataFrame, task: Task, batch: SequenceBatch) -> None:
    """Refuse pasts that change when everything after their origin is deleted from the record.

    Raises
    ------
    IntegrityError
        A past contains a value from after its origin, or depends on one.
    """
    dates = events[events[CODE] == ENROLMENT].set_index(SUBJECT)[TIME].dt.normalize()
    enrolled = events[SUBJECT].map(dates)
    day = (events[TIME].dt.normalize() - enrolled).dt.days
    for origin in task.origins_days:
        always_known = events[CODE].isin([ONSET, ENROLMENT]) | events[TIME].isna()
        known = events[always_known | (day <= origin)]
        one_origin = task.model_copy(update={"origins_days": (origin,)})
        truncated = cohort_sequences(known, one_origin, batch.layout, outcomes=False)
        full = batch.take(batch.origin_day_B == origin)
        rows = np.searchsorted(truncated.subject_B, full.subject_B)
        for name in _PAST:
            past = getattr(truncated, name)[rows]
            if not np.array_equal(past, getattr(full, name), equal_nan=True):
                raise IntegrityError(
                    f"leak: {name} at day {origin} changes when all later events are deleted",
                    "look for inputs that are dated before they were known",
                )


def check_batch_independence(predict: Predict, unseen: SequenceBatch, *, model: str) -> None:
    """Refuse a family whose forecast of one subject depends on the other subjects of the batch.

    It would have normalised, imputed or ranked over subjects that it must not know.

    Raises
    ------
    IntegrityError
        The forecast of a subject alone differs from the same forecast in a batch.
    """
    few = unseen.take(np.arange(min(3, len(unseen))))
    together_BHQ = predict(unseen)[: len(few)]
    for row in range(len(few)):
        alone_HQ = predict(few.take(np.array([row])))[0]
        if not np.allclose(alone_HQ, together_BHQ[row], atol=TOLERANCE):
            raise IntegrityError(
                f"leak: a forecast of {model} depends on who else is forecast",
                "normalise, impute and rank with what the family learned in training only",
            )


def check_target_leakage(batch: SequenceBatch) -> None:
    """Refuse an input that contains the outcome: it correlates almost perfectly with the change.

    Both are first adjusted for the baseline by a linear regression, because baseline and change
    correlate strongly even in pure noise (mathematical coupling; Hope 2019).

    Raises
    ------
    IntegrityError
        The adjusted correlation of an input with a horizon's change exceeds `LARGEST_CORRELATION`.
    """
    for origin in np.unique(batch.origin_day_B):
        # One origin at a time: an input may contain the change from one origin only.
        _check_inputs_at(batch.take(batch.origin_day_B == origin), int(origin))


def _check_inputs_at(batch: SequenceBatch, origin: int) -> None:
    features_BF = tabular_features(batch)
    for h, day in enumerate(batch.layout.horizon_days_H):
        change_B = (batch.truth_BH[:, h] - batch.last_score_B).astype(np.float64)
        for f, feature_B in enumerate(features_BF.T):
            known = ~np.isnan(change_B) & ~np.isnan(feature_B)
            base_B = batch.last_score_B[known].astype(np.float64)
            if known.sum() < MINIMUM_ROWS:
                continue
            change, feature = (_residuals(base_B, x[known]) for x in (change_B, feature_B))
            if min(change.std(), feature.std()) < 1e-6:
                continue
            if abs(np.corrcoef(change, feature)[0, 1]) > LARGEST_CORRELATION:
                raise IntegrityError(
                    f"leak: feature {f}, of {_name(batch, f)}, at day {origin} determines the"
                    f" change to day {day}",
                    "remove this input from the task, or correct the dates of its values",
                )


_PAST = tuple(
    field.name
    for field in fields(SequenceBatch)
    if field.name not in {"layout", "truth_BH", "groups_B"}
)


def _residuals(base_N: NDArray[np.float64], x_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the residuals of a linear regression of `x` on `base`."""
    design = np.column_stack([np.ones_like(base_N), base_N])
    slope, *_ = np.linalg.lstsq(design, x_N, rcond=None)
    return np.asarray(x_N - design @ slope)


def _name(batch: SequenceBatch, feature: int) -> str:
    channels = batch.layout.channels_C
    person = [covariate.name for covariate in batch.layout.person_S]
    names = [*channels * 4, *person, "time since onset"]
    return names[feature]
