"""The groups of an audit: which label each subject has for each sensitive attribute.

Letters: N subjects.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT
from contracts.task import Sensitive, Task
from contracts.vocabulary import NOT_RECORDED, Kind, vocabulary

WORN_DAY_HOURS = 10.0
"""A day counts as worn from this wear time on (common practice since Troiano 2008)."""

NO_WEARABLE = "no wearable"


def groups(
    timeline: pd.DataFrame,
    events: pd.DataFrame,
    subjects: NDArray[np.int64],
    task: Task,
    origin: int,
) -> pd.DataFrame:
    """Return one row per subject, in the order of `subjects`, and a label per attribute.

    Parameters
    ----------
    timeline, events
        Dated events with `day` after enrolment, and all events.
    origin
        Day after enrolment up to which wear is counted.
    """
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
