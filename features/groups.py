"""The groups of an audit: which label each subject has for each sensitive attribute.

Letters: P subjects, O origins, T days of the past, N timed events.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT
from contracts.groups import bands_of
from contracts.task import Sensitive, Task
from contracts.vocabulary import NOT_RECORDED, Kind, vocabulary
from features.timeline import Timeline

WORN_DAY_HOURS = 10.0
"""A day counts as worn from this wear time on (common practice since Troiano 2008)."""


def groups(
    timeline: Timeline, facts: pd.DataFrame, task: Task, origin_O: NDArray[np.int64]
) -> pd.DataFrame:
    """Return one row per subject and origin, by subject, and a label per attribute.

    Parameters
    ----------
    facts
        The untimed events.
    origin_O
        Days after enrolment up to which wear is counted.
    """
    columns = {}
    for attribute in task.sensitive:
        bands = bands_of(attribute)
        if bands is not None and vocabulary()[attribute.code].kind is Kind.DAILY:
            by_origin = [
                bands.label(_worn_share(timeline, task, attribute, int(day))) for day in origin_O
            ]
            columns[attribute.name] = np.stack(by_origin, axis=1).reshape(-1)
        else:
            label_P = _person_group(facts, timeline.subjects_P, attribute)
            columns[attribute.name] = np.repeat(label_P, len(origin_O))
    return pd.DataFrame(columns, index=range(len(timeline.subjects_P) * len(origin_O)))


def _person_group(
    facts: pd.DataFrame, subjects_P: NDArray[np.int64], attribute: Sensitive
) -> NDArray[np.object_]:
    values = facts[facts[CODE] == attribute.code].set_index(SUBJECT)
    if (bands := bands_of(attribute)) is None:
        return values[TEXT].reindex(subjects_P).fillna(NOT_RECORDED).to_numpy(dtype=object)
    return bands.label(values[NUMBER].reindex(subjects_P).to_numpy(dtype=np.float64))


def _worn_share(
    timeline: Timeline, task: Task, attribute: Sensitive, origin: int
) -> NDArray[np.float64]:
    """Return the share of worn days from the first day with a device up to the origin; else NaN."""
    days = task.inputs.past_days
    day_N = timeline.day_N - (origin - days + 1)
    daily_N = timeline.places_in(task.inputs.daily) >= 0
    inside_N = daily_N & (day_N >= 0) & (day_N < days)
    wear_N = timeline.places_in((attribute.code,)) >= 0
    any_PT, worn_PT = (
        _grid(timeline, day_N, rows_N, days)
        for rows_N in (inside_N, inside_N & wear_N & (timeline.value_N >= WORN_DAY_HOURS))
    )
    length_P = np.where(any_PT.any(axis=1), days - any_PT.argmax(axis=1), np.nan)
    return np.asarray(worn_PT.sum(axis=1) / length_P, dtype=np.float64)


def _grid(
    timeline: Timeline, day_N: NDArray[np.int32], rows_N: NDArray[np.bool_], days: int
) -> NDArray[np.bool_]:
    """Tell for each subject on which days there is any of the rows."""
    grid_PT = np.zeros((len(timeline.subjects_P), days), dtype=np.bool_)
    grid_PT[timeline.person_N[rows_N], day_N[rows_N]] = True
    return grid_PT
