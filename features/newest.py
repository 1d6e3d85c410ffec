"""What a ward would ask: each person of a cohort on the newest day that a forecast is for.

Letters: B pairs of subject and origin, here one for each subject; P subjects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import SUBJECT
from contracts.sequences import Layout, SequenceBatch
from contracts.task import Task
from features.blocks import blocks_of_subjects, joined
from features.past.day import latest_origin
from features.past.timeline import Timeline, timeline_of
from features.sequences import pairs_at


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestDay:
    """Everybody on the day that a forecast would be made on now.

    Parameters
    ----------
    batch
        One pair for each subject, by subject; at the first landmark where nothing was measured.
    nothing_measured_B, no_score_B
        Of whom nothing was measured since enrolment; and of whom the past has no score.
    """

    batch: SequenceBatch
    nothing_measured_B: NDArray[np.bool_]
    no_score_B: NDArray[np.bool_]


def newest_day(events: pd.DataFrame, task: Task, layout: Layout) -> NewestDay:
    """Build the pair of every subject that the service would build if asked on the newest day.

    The newest with data, up to the task's last day: later the service is not for anybody
    (`features.past.day.latest_origin`).
    """
    if not events[SUBJECT].is_monotonic_increasing:
        events = events.sort_values(SUBJECT, kind="stable")
    first = min(task.origins_days)
    parts, measured = [], []
    for block in blocks_of_subjects(events):
        timeline = timeline_of(block)
        origins = _origins(timeline, task)
        measured += [origin is not None for origin in origins]
        day_P = np.array([first if origin is None else origin for origin in origins])
        for day in np.unique(day_P).tolist():
            of_day = block[block[SUBJECT].isin(timeline.subjects_P[day_P == day])]
            parts.append(pairs_at((day,), of_day, task, layout))
    batch = joined(parts)
    batch = batch.take(np.argsort(batch.subject_B, kind="stable"))
    nothing_measured_B = ~np.array(measured, dtype=np.bool_)
    return NewestDay(
        batch=batch,
        nothing_measured_B=nothing_measured_B,
        no_score_B=np.isnan(batch.last_score_B) & ~nothing_measured_B,
    )


def _origins(timeline: Timeline, task: Task) -> list[int | None]:
    """Return the day of each subject's forecast, by subject."""
    is_measured_N = timeline.places_in((*task.inputs.assessments, *task.inputs.daily)) >= 0
    is_score_N = timeline.places_in((task.target.code,)) >= 0
    edges = np.searchsorted(timeline.person_N, np.arange(len(timeline.subjects_P) + 1))
    origins = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        day_N = timeline.day_N[start:end]
        scored, measured = day_N[is_score_N[start:end]], day_N[is_measured_N[start:end]]
        origins.append(latest_origin(task, measured, scored))
    return origins


def days_with_score(events: pd.DataFrame, task: Task, layout: Layout) -> SequenceBatch:
    """Build the pairs of every subject on all days that a forecast can be made from anew.

    These are the landmarks, the days with a score of the target up to the task's last day, and the
    newest day; outcomes as far as they were observed, and only pairs that have a past score.

    Returns
    -------
    Pairs by subject, then day.
    """
    if not events[SUBJECT].is_monotonic_increasing:
        events = events.sort_values(SUBJECT, kind="stable")
    parts = []
    for block in blocks_of_subjects(events):
        timeline = timeline_of(block)
        scored = timeline.rows_of(task.target.code)
        pairs = {
            (int(day), int(person))
            for day, person in zip(timeline.day_N[scored], timeline.person_N[scored], strict=True)
            if min(task.origins_days) <= day <= task.last_origin_day
        }
        pairs |= {(day, p) for day in task.origins_days for p in range(len(timeline.subjects_P))}
        newest = enumerate(_origins(timeline, task))
        pairs |= {(day, person) for person, day in newest if day is not None}
        people_of: dict[int, list[int]] = {}
        for day, person in sorted(pairs):
            people_of.setdefault(day, []).append(person)
        for day, people in people_of.items():
            of_day = block[block[SUBJECT].isin(timeline.subjects_P[people])]
            parts.append(pairs_at((day,), of_day, task, layout))
    batch = joined(parts)
    batch = batch.take(~np.isnan(batch.last_score_B))
    return batch.take(np.lexsort((batch.origin_day_B, batch.subject_B)))
