"""From a cohort's events to sequence batches: what was known at an origin, and what came after.

Letters: B subject-origin pairs, T days of the past, C channels, S person covariates, H horizons.

A pair's past is the `past_days` days that end with the origin's day, included: an assessment made
on the day of the forecast is known to it. Everything later is outcome and never enters the past.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import ContractError, ForecastRefused
from contracts.sequences import Layout, PersonCovariate, SequenceBatch
from contracts.task import Task
from contracts.vocabulary import vocabulary
from features.blocks import blocks_of_subjects, joined
from features.past.day import forecast_day, no_score
from features.past.groups import groups
from features.past.timeline import Timeline, timeline_of

TIME_SINCE_ONSET = "time since onset"
"""Modality of the days since onset, the only input that every forecast has."""


def training_sequences(
    events: pd.DataFrame, task: Task, *, unseen: list[int] | None = None
) -> SequenceBatch:
    """Build every subject-origin pair that has a past score and at least one later outcome.

    Channels and person covariates that nobody in the cohort has are left out of the layout, as are
    those of only the subjects in `unseen`: a model can't learn them and should not pretend to.

    Returns
    -------
    Pairs ordered by subject, then origin.

    Raises
    ------
    ContractError
        Nobody has the score that is to be forecast.
    """
    layout = _layout(events[~events[SUBJECT].isin(unseen or [])], task)
    if task.target.code not in layout.channels_C:
        raise ContractError(
            f"nobody to train on has the score that {task.name} forecasts ({task.target.code})",
            "import it with the cohort, or use the task of a score that the cohort has",
        )
    return cohort_sequences(events, task, layout)


def cohort_sequences(
    events: pd.DataFrame, task: Task, layout: Layout, *, outcomes: bool = True
) -> SequenceBatch:
    """Build the same pairs in a given model's layout, for evaluation on another cohort.

    Parameters
    ----------
    outcomes
        Keep only pairs with an outcome; else all that have a past score.
    """
    if not events[SUBJECT].is_monotonic_increasing:
        events = events.sort_values(SUBJECT, kind="stable")
    parts = []
    for block in blocks_of_subjects(events):
        batch = pairs_at(task.origins_days, block, task, layout)
        has_past = ~np.isnan(batch.last_score_B)
        has_outcome = ~np.isnan(batch.truth_BH).all(axis=1)
        parts.append(batch.take(has_past & has_outcome if outcomes else has_past))
    return joined(parts)


def pairs_at(
    origins_days: tuple[int, ...], events: pd.DataFrame, task: Task, layout: Layout
) -> SequenceBatch:
    """Build every subject at every origin, by subject, then origin; events are by subject."""
    return _batch(timeline_of(events), _facts(events), task, layout, origins_days)


def forecast_sequence(
    events: pd.DataFrame, task: Task, layout: Layout, *, as_of: int | None = None
) -> SequenceBatch:
    """Build one pair of one subject, on the day that is asked about (`features.past.day`).

    Parameters
    ----------
    as_of
        Days after enrolment; None for the newest day with a measurement.

    Returns
    -------
    A batch of one, without outcomes.

    Raises
    ------
    ForecastRefused
        Onset or enrolment is missing, no target score was observed in the past window, or the day
        is later than any that the task forecasts from.
    """
    dated = set(events[CODE]) & {ONSET, ENROLMENT}
    if missing := {ONSET, ENROLMENT} - dated:
        raise ForecastRefused(
            f"the record has no {', '.join(sorted(missing))}", "add the date of each"
        )
    timeline = timeline_of(events)
    observed = timeline.places_in((*task.inputs.assessments, *task.inputs.daily)) >= 0
    scored_days = timeline.day_N[timeline.rows_of(task.target.code)]
    origin = forecast_day(task, timeline.day_N[observed], scored_days, as_of)
    batch = _batch(timeline.up_to(origin), _facts(events), task, layout, (origin,))
    if np.isnan(batch.last_score_B[0]):
        raise no_score(task, origin)
    return batch


def present_modalities(batch: SequenceBatch, modalities: tuple[str, ...]) -> NDArray[np.float32]:
    """Return which modalities have anything observed, (B, M) of 0 and 1."""
    of_channel = np.array(batch.layout.modality_C)
    columns = {
        name: batch.observed_BTC[:, :, np.flatnonzero(of_channel == name)].any(axis=(1, 2))
        for name in dict.fromkeys(batch.layout.modality_C)
    }
    columns["person"] = batch.person_known_BS.any(axis=1)
    columns[TIME_SINCE_ONSET] = np.ones(len(batch), dtype=np.bool_)
    return np.stack([columns[name] for name in modalities], axis=1).astype(np.float32)


def _facts(events: pd.DataFrame) -> pd.DataFrame:
    """Return the facts of the persons, which are the untimed rows: few among millions of rows."""
    return events[events[TIME].isna()]


def _layout(events: pd.DataFrame, task: Task) -> Layout:
    """Return the axes that this cohort can fill."""
    words = vocabulary()
    seen = set(events[CODE].unique())
    channels = tuple(c for c in (*task.inputs.assessments, *task.inputs.daily) if c in seen)
    facts = events[events[TIME].isna()]
    labels = set(zip(facts[CODE], facts[TEXT], strict=True))
    person: list[PersonCovariate] = []
    for code in (code for code in task.inputs.person if code in seen):
        if words[code].is_numeric:
            person.append(PersonCovariate(code=code))
        else:
            person += [
                PersonCovariate(code=code, label=label)
                for label in words[code].labels
                if (code, label) in labels
            ]
    return Layout(
        channels_C=channels,
        modality_C=tuple(words[code].modality for code in channels),
        person_S=tuple(person),
        horizon_days_H=tuple(horizon.day for horizon in task.horizons),
    )


def _batch(
    timeline: Timeline,
    facts: pd.DataFrame,
    task: Task,
    layout: Layout,
    origins_days: tuple[int, ...],
) -> SequenceBatch:
    """Return every subject at every origin, by subject, then origin."""
    origin_O = np.array(sorted(origins_days), dtype=np.int64)
    subjects_P = timeline.subjects_P
    values_BTC, observed_BTC = _past(timeline, origin_O, task, layout)
    person_PS, known_PS = _person(facts, subjects_P, layout)
    target = layout.channels_C.index(task.target.code)
    before_T = np.arange(1 - task.inputs.past_days, 1)
    enrolled_B = np.repeat(timeline.enrolment_day_P, len(origin_O))
    origin_B = np.tile(origin_O, len(subjects_P))
    truth_POH = np.stack([_truth(timeline, task, int(day)) for day in origin_O], axis=1)
    return SequenceBatch(
        layout=layout,
        values_BTC=values_BTC,
        observed_BTC=observed_BTC,
        days_since_onset_BT=np.add.outer(enrolled_B + origin_B, before_T).astype(np.float32),
        person_BS=np.repeat(person_PS, len(origin_O), axis=0),
        person_known_BS=np.repeat(known_PS, len(origin_O), axis=0),
        subject_B=np.repeat(subjects_P, len(origin_O)),
        origin_day_B=origin_B,
        last_score_B=_last(values_BTC[:, :, target], observed_BTC[:, :, target], task),
        truth_BH=truth_POH.reshape(len(origin_B), -1),
        groups_B=groups(timeline, facts, task, layout, origin_O),
    )


def _past(
    timeline: Timeline, origin_O: NDArray[np.int64], task: Task, layout: Layout
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    days, channels = task.inputs.past_days, len(layout.channels_C)
    shape = (len(timeline.subjects_P) * len(origin_O), days, channels)
    values_BTC = np.zeros(shape, dtype=np.float32)
    observed_BTC = np.zeros(shape, dtype=np.bool_)
    channel_N = timeline.places_in(layout.channels_C)
    for o, origin in enumerate(origin_O):
        day_N = timeline.day_N - (origin - days + 1)
        past = np.flatnonzero((channel_N >= 0) & (day_N >= 0) & (day_N < days))
        pair = timeline.person_N[past].astype(np.int64) * len(origin_O) + o
        # One flat index per value: three indices at once would cost three times the memory traffic.
        at = (pair * days + day_N[past]) * channels + channel_N[past]
        values_BTC.reshape(-1)[at] = timeline.value_N[past]
        observed_BTC.reshape(-1)[at] = True
    return values_BTC, observed_BTC


def _last(
    values_NT: NDArray[np.float32], observed_NT: NDArray[np.bool_], task: Task
) -> NDArray[np.float32]:
    """Return the last observed value of each row; where there is none, the assumed one or NaN."""
    otherwise = np.float32(np.nan if task.target.assumed is None else task.target.assumed)
    last_N = observed_NT.shape[1] - 1 - observed_NT[:, ::-1].argmax(axis=1)
    value_N = values_NT[np.arange(len(values_NT)), last_N]
    return np.where(observed_NT.any(axis=1), value_N, otherwise)


def _truth(timeline: Timeline, task: Task, origin: int) -> NDArray[np.float32]:
    """Return the score nearest to each horizon inside its window, if the horizon is still ahead."""
    truth_PH = np.full((len(timeline.subjects_P), len(task.horizons)), np.nan, dtype=np.float32)
    scores = timeline.rows_of(task.target.code)
    scores = scores[timeline.day_N[scores] > origin]
    for h, horizon in enumerate(task.horizons):
        if horizon.day <= origin:
            continue
        start, end = horizon.window_days
        day = timeline.day_N[scores]
        inside = scores[(day >= start) & (day < end)]
        day = timeline.day_N[inside]
        # Nearest last, of two equally near the earlier: the value written last stays.
        by_distance = inside[np.lexsort((-day, -np.abs(day - horizon.day)))]
        truth_PH[timeline.person_N[by_distance], h] = timeline.value_N[by_distance]
    return truth_PH


def learnt_labels(layout: Layout) -> dict[str, set[str]]:
    """Return the labels of each fact that a model has seen: to it any other is not known.

    Left out of them all, a label such as "both" would look to the model like a known "neither".
    """
    labels: dict[str, set[str]] = {}
    for covariate in layout.person_S:
        if covariate.label is not None:
            labels.setdefault(covariate.code, set()).add(covariate.label)
    return labels


def _person(
    facts: pd.DataFrame, subjects_P: NDArray[np.int64], layout: Layout
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    shape = (len(subjects_P), len(layout.person_S))
    person_PS = np.zeros(shape, dtype=np.float32)
    known_PS = np.zeros(shape, dtype=np.bool_)
    labels = learnt_labels(layout)
    for s, covariate in enumerate(layout.person_S):
        values = facts[facts[CODE] == covariate.code]
        if covariate.label is not None:
            values = values[values[TEXT].isin(labels[covariate.code])]
        row = np.searchsorted(subjects_P, values[SUBJECT])
        known_PS[row, s] = True
        person_PS[row, s] = (
            values[NUMBER] if covariate.label is None else values[TEXT] == covariate.label
        )
    return person_PS, known_PS
