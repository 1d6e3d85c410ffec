"""From a cohort's events to sequence batches: what was known at an origin, and what came after.

Letters: B subject-origin pairs, T days of the past, C channels, S person covariates, H horizons.

A pair's past is the `past_days` days that end with the origin's day, included: an assessment made
on the day of the forecast is known to it. Everything later is outcome and never enters the past.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import ForecastRefused
from contracts.sequences import Layout, SequenceBatch
from contracts.task import Sensitive, Task
from contracts.vocabulary import NOT_RECORDED, Kind, vocabulary

WORN_DAY_HOURS = 10.0
"""A day counts as worn from this wear time on (common practice since Troiano 2008)."""

NO_WEARABLE = "no wearable"
TIME_SINCE_ONSET = "time since onset"
"""Modality of the days since onset, the one thing that every forecast knows."""


def training_sequences(events: pd.DataFrame, task: Task) -> SequenceBatch:
    """Build every subject-origin pair that has a past score and at least one later outcome.

    Channels and person covariates that nobody in the cohort has are left out of the layout: a
    model can't learn them, and should not pretend to use them.

    Returns
    -------
    Pairs ordered by subject, then origin.
    """
    return _batch(_timeline(events), events, task, _layout(events, task), task.origins_days)


def cohort_sequences(
    events: pd.DataFrame, task: Task, layout: Layout, *, outcomes: bool = True
) -> SequenceBatch:
    """Build the same pairs in a given model's layout, for evaluation on another cohort.

    Parameters
    ----------
    outcomes
        Keep only pairs with an outcome; else all that have a past score.
    """
    timeline = _timeline(events)
    return _batch(timeline, events, task, layout, task.origins_days, outcomes=outcomes)


def forecast_sequence(events: pd.DataFrame, task: Task, layout: Layout) -> SequenceBatch:
    """Build one pair of one subject, at the latest landmark the record has reached.

    Returns
    -------
    A batch of one, without outcomes.

    Raises
    ------
    ForecastRefused
        Onset or enrolment is missing, or no target score was observed in the past window.
    """
    dated = set(events[CODE]) & {ONSET, ENROLMENT}
    if missing := {ONSET, ENROLMENT} - dated:
        raise ForecastRefused(f"the record has no {', '.join(sorted(missing))}: add the date")
    timeline = _timeline(events)
    observed = timeline[timeline[CODE].isin([*task.inputs.assessments, *task.inputs.daily])]
    reached = [day for day in task.origins_days if day <= observed["day"].max()]
    if not reached:
        raise ForecastRefused("nothing was measured from enrolment on: assess the patient first")
    past = timeline[timeline["day"] <= max(reached)]
    batch = _batch(past, events, task, layout, (max(reached),), outcomes=False)
    if len(batch) == 0:
        name = vocabulary()[task.target.code].name
        raise ForecastRefused(
            f"no {name} score in the {task.inputs.past_days} days up to day {max(reached)}"
            " after enrolment, where this forecast starts: assess the patient first, or date the"
            " enrolment on the day of the first score"
        )
    return batch


def present_modalities(batch: SequenceBatch, modalities: tuple[str, ...]) -> NDArray[np.float32]:
    """Tell which modalities have anything observed, (B, M) of 0 and 1."""
    of_channel = np.array(batch.layout.modality_C)
    columns = {
        name: batch.observed_BTC[:, :, np.flatnonzero(of_channel == name)].any(axis=(1, 2))
        for name in batch.layout.modality_C
    }
    columns["person"] = batch.person_known_BS.any(axis=1)
    columns[TIME_SINCE_ONSET] = np.ones(len(batch), dtype=np.bool_)
    return np.stack([columns[name] for name in modalities], axis=1).astype(np.float32)


def _timeline(events: pd.DataFrame) -> pd.DataFrame:
    """Return timed events with `day` after enrolment and `enrolment_day` after onset."""
    dates = events[events[CODE].isin([ONSET, ENROLMENT])].pivot(
        index=SUBJECT, columns=CODE, values=TIME
    )
    timed = events[events[TIME].notna()].join(dates, on=SUBJECT)
    midnight = timed[TIME].dt.normalize()
    return timed.assign(
        day=(midnight - timed[ENROLMENT].dt.normalize()).dt.days,
        enrolment_day=(timed[ENROLMENT].dt.normalize() - timed[ONSET].dt.normalize()).dt.days,
    )


def _layout(events: pd.DataFrame, task: Task) -> Layout:
    """Return the axes that this cohort can fill."""
    words = vocabulary()
    seen = set(events[CODE])
    channels = tuple(c for c in (*task.inputs.assessments, *task.inputs.daily) if c in seen)
    labels = set(zip(events[CODE], events[TEXT], strict=True))
    person: list[str] = []
    for code in (code for code in task.inputs.person if code in seen):
        if words[code].is_numeric:
            person.append(code)
        else:
            person += [f"{code}={label}" for label in words[code].labels if (code, label) in labels]
    return Layout(
        channels_C=channels,
        modality_C=tuple(words[code].modality for code in channels),
        person_S=tuple(person),
        horizon_days_H=tuple(horizon.day for horizon in task.horizons),
    )


def _batch(
    timeline: pd.DataFrame,
    events: pd.DataFrame,
    task: Task,
    layout: Layout,
    origins_days: tuple[int, ...],
    *,
    outcomes: bool = True,
) -> SequenceBatch:
    subjects = np.sort(timeline[SUBJECT].unique())
    enrolment_day = timeline.groupby(SUBJECT)["enrolment_day"].first().reindex(subjects)
    person_NS, known_NS = _person(events, subjects, layout)
    parts = []
    for origin in origins_days:
        values_NTC, observed_NTC = _past(timeline, subjects, task, layout, origin)
        target = layout.channels_C.index(task.target.code)
        days_T = np.arange(origin - task.inputs.past_days + 1, origin + 1)
        parts.append(
            SequenceBatch(
                layout=layout,
                values_BTC=values_NTC,
                observed_BTC=observed_NTC,
                days_since_onset_BT=(enrolment_day.to_numpy()[:, None] + days_T).astype(np.float32),
                person_BS=person_NS,
                person_known_BS=known_NS,
                subject_B=subjects.astype(np.int64),
                origin_day_B=np.full(len(subjects), origin, dtype=np.int64),
                last_score_B=_last(values_NTC[:, :, target], observed_NTC[:, :, target]),
                truth_BH=_truth(timeline, subjects, task, origin),
                groups_B=_groups(timeline, events, subjects, task, origin),
            )
        )
    batch = _joined(parts)
    has_past = ~np.isnan(batch.last_score_B)
    has_outcome = ~np.isnan(batch.truth_BH).all(axis=1)
    kept = batch.take(has_past & has_outcome if outcomes else has_past)
    return kept.take(np.lexsort((kept.origin_day_B, kept.subject_B)))


def _past(
    timeline: pd.DataFrame, subjects: NDArray[np.int64], task: Task, layout: Layout, origin: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    start = origin - task.inputs.past_days + 1
    past = timeline[timeline["day"].between(start, origin) & timeline[CODE].isin(layout.channels_C)]
    at = (
        np.searchsorted(subjects, past[SUBJECT]),
        (past["day"] - start).to_numpy(),
        pd.Index(layout.channels_C).get_indexer(pd.Index(past[CODE])),
    )
    shape = (len(subjects), task.inputs.past_days, len(layout.channels_C))
    values_NTC = np.zeros(shape, dtype=np.float32)
    observed_NTC = np.zeros(shape, dtype=np.bool_)
    values_NTC[at] = past[NUMBER].to_numpy(dtype=np.float32)
    observed_NTC[at] = True
    return values_NTC, observed_NTC


def _last(values_NT: NDArray[np.float32], observed_NT: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the last observed value of each row, NaN where there is none."""
    last_N = observed_NT.shape[1] - 1 - observed_NT[:, ::-1].argmax(axis=1)
    value_N = values_NT[np.arange(len(values_NT)), last_N]
    return np.where(observed_NT.any(axis=1), value_N, np.float32(np.nan))


def _truth(
    timeline: pd.DataFrame, subjects: NDArray[np.int64], task: Task, origin: int
) -> NDArray[np.float32]:
    """Return the score nearest to each horizon inside its window, if the horizon is still ahead."""
    scores = timeline[(timeline[CODE] == task.target.code) & (timeline["day"] > origin)]
    truth_NH = np.full((len(subjects), len(task.horizons)), np.nan, dtype=np.float32)
    for h, horizon in enumerate(task.horizons):
        if horizon.day <= origin:
            continue
        start, end = horizon.window_days
        inside = scores[(scores["day"] >= start) & (scores["day"] < end)]
        distance = (inside["day"] - horizon.day).abs()
        nearest = inside.assign(distance=distance).sort_values([SUBJECT, "distance", "day"])
        first = nearest.drop_duplicates(SUBJECT)
        truth_NH[np.searchsorted(subjects, first[SUBJECT]), h] = first[NUMBER]
    return truth_NH


def _person(
    events: pd.DataFrame, subjects: NDArray[np.int64], layout: Layout
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    shape = (len(subjects), len(layout.person_S))
    person_NS = np.zeros(shape, dtype=np.float32)
    known_NS = np.zeros(shape, dtype=np.bool_)
    for s, name in enumerate(layout.person_S):
        code, _, label = name.partition("=")
        facts = events[events[CODE] == code]
        row = np.searchsorted(subjects, facts[SUBJECT])
        known_NS[row, s] = True
        person_NS[row, s] = (facts[TEXT] == label) if label else facts[NUMBER]
    return person_NS, known_NS


def _groups(
    timeline: pd.DataFrame,
    events: pd.DataFrame,
    subjects: NDArray[np.int64],
    task: Task,
    origin: int,
) -> pd.DataFrame:
    columns = {}
    for attribute in task.sensitive:
        kind = vocabulary()[attribute.code].kind
        if kind is Kind.DAILY:
            columns[attribute.name] = _wear_band(timeline, subjects, task, attribute, origin)
        else:
            columns[attribute.name] = _person_group(events, subjects, attribute)
    return pd.DataFrame(columns)


def _person_group(
    events: pd.DataFrame, subjects: NDArray[np.int64], attribute: Sensitive
) -> NDArray[np.object_]:
    facts = events[events[CODE] == attribute.code].set_index(SUBJECT)
    if not attribute.bands:
        return facts[TEXT].reindex(subjects).fillna(NOT_RECORDED).to_numpy(dtype=object)
    numbers = facts[NUMBER].reindex(subjects).to_numpy(dtype=np.float64)
    return banded(numbers, attribute.bands, "{:g}", NOT_RECORDED)


def _wear_band(
    timeline: pd.DataFrame,
    subjects: NDArray[np.int64],
    task: Task,
    attribute: Sensitive,
    origin: int,
) -> NDArray[np.object_]:
    """Band the share of worn days, from the first day with a device up to the origin."""
    start = origin - task.inputs.past_days + 1
    daily = timeline[timeline[CODE].isin(task.inputs.daily)]
    days = daily[daily["day"].between(start, origin)]
    first = days.groupby(SUBJECT)["day"].min().reindex(subjects)
    worn = days[(days[CODE] == attribute.code) & (days[NUMBER] >= WORN_DAY_HOURS)]
    count = worn.groupby(SUBJECT)["day"].nunique().reindex(subjects).fillna(0)
    share = np.where(first.isna(), np.nan, count / (origin - first + 1))
    return banded(share, attribute.bands, "{:.0%}", NO_WEARABLE)


def banded(
    numbers_N: NDArray[np.float64], edges: tuple[float, ...], form: str, missing: str
) -> NDArray[np.object_]:
    """Label numbers by half-open bands, [edge, next edge); NaN gets the label for missing."""
    text = [form.format(edge) for edge in edges]
    labels = [
        f"under {text[0]}",
        *(f"{low} to under {high}" for low, high in pairwise(text)),
        f"{text[-1]} and over",
    ]
    band_N = np.searchsorted(np.array(edges), numbers_N, side="right")
    named = np.array(labels, dtype=object)[band_N.clip(max=len(edges))]
    return np.where(np.isnan(numbers_N), missing, named)


def _joined(parts: list[SequenceBatch]) -> SequenceBatch:
    names = [name for name in SequenceBatch.__slots__ if name not in {"layout", "groups_B"}]
    return SequenceBatch(
        layout=parts[0].layout,
        groups_B=pd.concat([part.groups_B for part in parts], ignore_index=True),
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
    )
