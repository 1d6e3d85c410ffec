"""Looks for leaks before a benchmark is believed, and refuses loudly.

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
from training.models.tabular_features import summaries

TOLERANCE = 1e-3
"""Score points by which a forecast may differ between batches: rounding."""

LARGEST_CORRELATION = 0.995
MINIMUM_ROWS = 30


def check_folds(train: SequenceBatch, unseen: SequenceBatch) -> None:
    """Refuse a fold that shares a subject with what it is scored on.

    Raises
    ------
    IntegrityError
        It does.
    """
    if shared := set(train.subject_B.tolist()) & set(unseen.subject_B.tolist()):
        raise IntegrityError(f"leak: {len(shared)} subject(s) are on both sides of a fold")


def check_past(events: pd.DataFrame, task: Task, batch: SequenceBatch) -> None:
    """Refuse pasts that change when everything after their origin is struck from the record.

    Raises
    ------
    IntegrityError
        A past holds a value from after its origin, or depends on one.
    """
    dates = events[events[CODE] == ENROLMENT].set_index(SUBJECT)[TIME].dt.normalize()
    enrolled = events[SUBJECT].map(dates)
    day = (events[TIME].dt.normalize() - enrolled).dt.days
    for origin in task.origins_days:
        dated = events[CODE].isin([ONSET, ENROLMENT]) | events[TIME].isna()
        known = events[dated | (day <= origin)]
        only = task.model_copy(update={"origins_days": (origin,)})
        cut = cohort_sequences(known, only, batch.layout, outcomes=False)
        here = batch.take(batch.origin_day_B == origin)
        rows = np.searchsorted(cut.subject_B, here.subject_B)
        for name in _PAST:
            if not np.array_equal(getattr(cut, name)[rows], getattr(here, name), equal_nan=True):
                raise IntegrityError(
                    f"leak: {name} at day {origin} changes when what came later is struck out"
                )


def check_alone(predict: Predict, unseen: SequenceBatch, *, model: str) -> None:
    """Refuse a family whose forecast of one subject depends on who else is forecast.

    It would have normalised, imputed or ranked over people it must not know.

    Raises
    ------
    IntegrityError
        A forecast alone differs from the same forecast among others.
    """
    few = unseen.take(np.arange(min(3, len(unseen))))
    together_BHQ = predict(unseen)[: len(few)]
    for row in range(len(few)):
        alone_HQ = predict(few.take(np.array([row])))[0]
        if not np.allclose(alone_HQ, together_BHQ[row], atol=TOLERANCE):
            raise IntegrityError(f"leak: a forecast of {model} depends on who else is forecast")


def check_inputs(batch: SequenceBatch) -> None:
    """Refuse an input that knows the outcome: its correlation with the change is almost perfect.

    Scores are judged as they are, never by correlating baseline with change, which finds a strong
    relation in pure noise (mathematical coupling; Hope 2019). So here, too, what the baseline
    alone says of the change is taken out first.

    Raises
    ------
    IntegrityError
        An input explains a horizon's change beyond `LARGEST_CORRELATION`.
    """
    for origin in np.unique(batch.origin_day_B):
        # One origin at a time: what tells the change from one says little of that from another.
        _check_inputs_at(batch.take(batch.origin_day_B == origin), int(origin))


def _check_inputs_at(batch: SequenceBatch, origin: int) -> None:
    features_BF = summaries(batch)
    for h, day in enumerate(batch.layout.horizon_days_H):
        change_B = (batch.truth_BH[:, h] - batch.last_score_B).astype(np.float64)
        for f, feature_B in enumerate(features_BF.T):
            known = ~np.isnan(change_B) & ~np.isnan(feature_B)
            base_B = batch.last_score_B[known].astype(np.float64)
            if known.sum() < MINIMUM_ROWS:
                continue
            first, second = (_without(base_B, x[known]) for x in (change_B, feature_B))
            if min(first.std(), second.std()) < 1e-6:
                continue
            if abs(np.corrcoef(first, second)[0, 1]) > LARGEST_CORRELATION:
                raise IntegrityError(
                    f"leak: input summary {f} of {_name(batch, f)} at day {origin} tells the change"
                    f" to day {day}"
                )


_PAST = tuple(
    field.name
    for field in fields(SequenceBatch)
    if field.name not in {"layout", "truth_BH", "groups_B"}
)


def _without(base_N: NDArray[np.float64], x_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is left of `x` after a straight line in `base`."""
    design = np.column_stack([np.ones_like(base_N), base_N])
    slope, *_ = np.linalg.lstsq(design, x_N, rcond=None)
    return np.asarray(x_N - design @ slope)


def _name(batch: SequenceBatch, feature: int) -> str:
    channels = batch.layout.channels_C
    names = [*channels * 4, *batch.layout.person_S, "time since onset"]
    return names[feature]
