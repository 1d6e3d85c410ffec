"""Checks for data leakage, which raise an error before anything is fitted or compared.

Letters: B pairs, T days, C channels, H horizons, N rows, F features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from contracts.cohort import CODE, ENROLMENT, ONSET, SUBJECT, TIME
from contracts.errors import IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import cohort_sequences
from training.models import Predict
from training.models.tabular_features import tabular_features

TOLERANCE = 1e-3
"""Score points by which a forecast may differ between batches because of rounding."""

LARGEST_BELIEVED = 0.8
"""Largest correlation with the change that an input from before it is believed to have in truth: it
explains 64 % of what the score at the start leaves open. Those of the cohorts here have at most
0.72, the real stroke cohort's among 46 people (`make bench NAME=leaks`)."""

FALSE_ALARM = 0.01
"""Chance, at most, that a cohort is refused in which every input is at that limit."""

MINIMUM_ROWS = 30
ALMOST_NOTHING = 1e-9
"""Share of a variance that is rounding."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How closely one input at one origin agrees with the change to one horizon.

    Parameters
    ----------
    correlation
        Absolute correlation, both adjusted for the score at the origin.
    people
        Who has both.
    """

    feature: int
    name: str
    origin: int
    horizon_day: int
    correlation: float
    people: int


def check_target_leakage(batch: SequenceBatch) -> None:
    """Refuse an input that knows the outcome: it foretells more than any measurement before it can.

    Change and input are first adjusted for the score at the origin by a linear regression, because
    the score and its change correlate strongly even in pure noise (mathematical coupling; Hope
    2019). An input is refused if its correlation is beyond what one of `LARGEST_BELIEVED` reaches
    by chance in so many people (Fisher 1915), for all inputs, origins and horizons together
    (Bonferroni). So the outcome itself is found, and the outcome with the error of another
    assessment, as soon as people's changes differ by more than that error
    (docs/benchmarks.md, Leaks).

    Raises
    ------
    IntegrityError
        Names the input that foretells most.
    """
    found = list(agreements(batch))
    if not found:
        return
    tail = norm.isf(FALSE_ALARM / len(found))
    beyond = [
        one
        for one in found
        if np.arctanh(one.correlation)
        > np.arctanh(LARGEST_BELIEVED) + tail / np.sqrt(one.people - 4)
    ]
    if beyond:
        worst = max(beyond, key=lambda one: one.correlation)
        raise IntegrityError(
            f"leak: feature {worst.feature}, of {worst.name}, at day {worst.origin} agrees with the"
            f" change to day {worst.horizon_day} as no measurement from before it can (correlation"
            f" {worst.correlation:.3f} among {worst.people} people)",
            "remove this input from the task, or correct the dates of its values",
        )


def agreements(batch: SequenceBatch) -> Iterator[Agreement]:
    """Compare each input with each change, where at least `MINIMUM_ROWS` people have both."""
    for origin in np.unique(batch.origin_day_B):
        # One origin at a time: an input may contain the change from one origin only.
        yield from _agreements_from(batch.take(batch.origin_day_B == origin), int(origin))


def _agreements_from(batch: SequenceBatch, origin: int) -> Iterator[Agreement]:
    features_BF = tabular_features(batch)
    base_B = batch.last_score_B.astype(np.float64)
    for h, day in enumerate(batch.layout.horizon_days_H):
        change_B = batch.truth_BH[:, h] - base_B
        correlation_F, people_F = adjusted_correlations(features_BF, change_B, base_B)
        for f in np.flatnonzero((people_F >= MINIMUM_ROWS) & ~np.isnan(correlation_F)):
            yield Agreement(
                feature=int(f),
                name=_name(batch, int(f)),
                origin=origin,
                horizon_day=day,
                correlation=min(abs(float(correlation_F[f])), 1 - 1e-12),
                people=int(people_F[f]),
            )


_PAST = tuple(
    field.name
    for field in fields(SequenceBatch)
    if field.name not in {"layout", "truth_BH", "groups_B"}
)


def adjusted_correlations(
    features_BF: NDArray[np.float64], change_B: NDArray[np.float64], base_B: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return partial correlations with a change, given the base, and how many people, (F,).

    NaN where feature or change is nothing but a linear function of the base.
    """
    known_BF = ~np.isnan(features_BF) & ~np.isnan(change_B)[:, None]
    people_F = known_BF.sum(axis=0)
    number_F = np.maximum(people_F, 1)

    def centred(x_BF: NDArray[np.float64]) -> NDArray[np.float64]:
        shown_BF = np.where(known_BF, x_BF, 0)
        return np.where(known_BF, shown_BF - shown_BF.sum(axis=0) / number_F, 0)

    def product(x_BF: NDArray[np.float64], y_BF: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((x_BF * y_BF).sum(axis=0))

    base_BF = centred(np.broadcast_to(base_B[:, None], features_BF.shape))
    spread_F = product(base_BF, base_BF)
    left, share = [], []
    for x_BF in (features_BF, np.broadcast_to(change_B[:, None], features_BF.shape)):
        x_BF = centred(x_BF)
        slope_F = product(x_BF, base_BF) / np.where(spread_F > 0, spread_F, 1)
        left.append(x_BF - slope_F * base_BF)
        share.append(product(left[-1], left[-1]) / np.maximum(product(x_BF, x_BF), ALMOST_NOTHING))
    norm_F = np.sqrt(product(left[0], left[0]) * product(left[1], left[1]))
    varies_F = (np.minimum(*share) > ALMOST_NOTHING) & (norm_F > 0)
    correlation_F = product(left[0], left[1]) / np.where(varies_F, norm_F, 1)
    return np.where(varies_F, correlation_F, np.nan), people_F


def _name(batch: SequenceBatch, feature: int) -> str:
    channels = batch.layout.channels_C
    person = [covariate.name for covariate in batch.layout.person_S]
    names = [*channels * 4, *person, "time since onset"]
    return names[feature]
