"""The groups of an audit: which label each subject has for each sensitive attribute.

Letters: P subjects, O origins, T days of the past, N timed events.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT
from contracts.groups import NO_WEARABLE, Bands, bands_of
from contracts.sequences import Layout
from contracts.task import Sensitive, Task
from contracts.vocabulary import NOT_RECORDED, Kind, vocabulary
from features.past.timeline import Timeline

THERAPY = "therapy"
"""Modality of daily values that no wearable gives."""

WORN_DAY_HOURS = 10.0
"""A day counts as worn from this wear time on (common practice since Troiano 2008)."""


def groups(
    timeline: Timeline,
    facts: pd.DataFrame,
    task: Task,
    layout: Layout,
    origin_O: NDArray[np.int64],
) -> pd.DataFrame:
    """Return one row per subject and origin, by subject, and a label per attribute.

    Parameters
    ----------
    facts
        The untimed events.
    layout
        What the model reads: wearable data that it does not read put nobody into a group.
    origin_O
        Days after enrolment up to which wear is counted.
    """
    columns = {}
    for attribute in task.sensitive:
        bands = bands_of(attribute)
        if bands is not None and vocabulary()[attribute.code].kind is Kind.DAILY:
            by_origin = [
                _wear_group(timeline, task, layout, attribute, bands, int(day)) for day in origin_O
            ]
            columns[attribute.name] = np.stack(by_origin, axis=1).reshape(-1)
        else:
            label_P = person_group(facts, timeline.subjects_P, attribute)
            columns[attribute.name] = np.repeat(label_P, len(origin_O))
    return pd.DataFrame(columns, index=range(len(timeline.subjects_P) * len(origin_O)))


def person_group(
    facts: pd.DataFrame, subjects_P: NDArray[np.int64], attribute: Sensitive
) -> NDArray[np.object_]:
    """Return each subject's label of an attribute of the person, (P,)."""
    values = facts[facts[CODE] == attribute.code].set_index(SUBJECT)
    if (bands := bands_of(attribute)) is None:
        return values[TEXT].reindex(subjects_P).fillna(NOT_RECORDED).to_numpy(dtype=object)
    return bands.label(values[NUMBER].reindex(subjects_P).to_numpy(dtype=np.float64))


def wearable_codes(task: Task) -> tuple[str, ...]:
    """Return the daily inputs that a wearable measures, and not a therapist."""
    return tuple(filter(is_of_wearable, task.inputs.daily))


def reads_wearable(layout: Layout) -> bool:
    """Return whether a model reads anything that a wearable measures."""
    return any(map(is_of_wearable, layout.channels_C))


def is_of_wearable(code: str) -> bool:
    """Return whether a wearable measures a code, and not a therapist."""
    entry = vocabulary()[code]
    return entry.kind is Kind.DAILY and entry.modality != THERAPY


def _wear_group(
    timeline: Timeline,
    task: Task,
    layout: Layout,
    attribute: Sensitive,
    bands: Bands,
    origin: int,
) -> NDArray[np.object_]:
    """Band the share of worn days from the first day whose wear was judged up to the origin."""
    if not reads_wearable(layout):
        return np.full(len(timeline.subjects_P), NO_WEARABLE, dtype=object)
    days = task.inputs.past_days
    day_N = timeline.day_N - (origin - days + 1)
    inside_N = (day_N >= 0) & (day_N < days)
    device_N = inside_N & (timeline.places_in(wearable_codes(task)) >= 0)
    judged_N = inside_N & (timeline.places_in((attribute.code,)) >= 0)
    device_PT, judged_PT, worn_PT = (
        _grid(timeline, day_N, rows_N, days)
        for rows_N in (device_N, judged_N, judged_N & (timeline.value_N >= WORN_DAY_HOURS))
    )
    # Nobody knows how long a device was worn whose values come without a judgement of wear.
    length_P = np.where(judged_PT.any(axis=1), days - judged_PT.argmax(axis=1), np.nan)
    label_P = bands.label(np.asarray(worn_PT.sum(axis=1) / length_P, dtype=np.float64))
    has_device_P = device_PT.any(axis=1) | judged_PT.any(axis=1)
    return np.where(has_device_P, label_P, NO_WEARABLE).astype(object)


def _grid(
    timeline: Timeline, day_N: NDArray[np.int32], rows_N: NDArray[np.bool_], days: int
) -> NDArray[np.bool_]:
    """Tell for each subject on which days there is any of the rows."""
    grid_PT = np.zeros((len(timeline.subjects_P), days), dtype=np.bool_)
    grid_PT[timeline.person_N[rows_N], day_N[rows_N]] = True
    return grid_PT
