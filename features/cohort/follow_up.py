"""What became of every outcome that was due, and who may be called to ask for it.

Letters: B subject-origin pairs, H horizons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts import predictions as columns
from contracts.cohort import (
    CODE,
    DEATH,
    ENROLMENT,
    NUMBER,
    SUBJECT,
    TEXT,
    TIME,
    TRACED,
    TRACING_CHANCE,
    TRACING_DRAWN,
    WITHDRAWAL,
    Cohort,
)
from contracts.groups import group_column
from contracts.predictions import OutcomeStatus
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import cohort_sequences, training_sequences

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """When the follow-up of people ended, on days after each one's enrolment.

    Parameters
    ----------
    over_until
        By subject: a window that ends by this day is over.
    death, withdrawal
        Day by subject, of those who died or withdrew; the first, where several are recorded.
    traced
        Days of the outcomes that were obtained by tracing, by subject.
    chance, drawn
        Of everybody whom a draw was made from: its chance, and whether it took the subject.
    """

    over_until: pd.Series[int]
    death: pd.Series[int]
    withdrawal: pd.Series[int]
    traced: pd.Series[int]
    chance: pd.Series[float]
    drawn: pd.Series[bool]


def ends_of(events: pd.DataFrame, *, dates_shifted: bool) -> Ends:
    """Return when everybody's follow-up ended.

    A window is over when the cohort's last date is past it. Where dates are nobody's real ones,
    there is no such date, and every window counts as over.
    """
    timed = events[events[TIME].notna()]
    enrolled = _day(timed[timed[CODE] == ENROLMENT].set_index(SUBJECT)[TIME])
    last = np.asarray(timed[TIME].max(), dtype="datetime64[D]").astype(np.int64)
    chance = events[events[CODE] == TRACING_CHANCE].set_index(SUBJECT)[NUMBER]
    drawn = events[events[CODE] == TRACING_DRAWN].set_index(SUBJECT)[TEXT]

    def days_of(code: str) -> pd.Series[int]:
        days = _day(timed[timed[CODE] == code].set_index(SUBJECT)[TIME])
        return days - enrolled.reindex(days.index)

    latest = np.full(len(enrolled), NEVER) if dates_shifted else last - enrolled.to_numpy()
    return Ends(
        over_until=pd.Series(latest, index=enrolled.index),
        death=days_of(DEATH).groupby(level=0).min(),
        withdrawal=days_of(WITHDRAWAL).groupby(level=0).min(), traced=days_of(TRACED),
        chance=chance.astype(np.float64), drawn=drawn == "yes",
    )  # fmt: skip


def follow_up_rows(batch: SequenceBatch, ends: Ends, task: Task) -> pd.DataFrame:
    """Return a row for every outcome that was due (`contracts.predictions`), without early errors.

    A horizon at which nobody's outcome was observed is not followed up, and nothing is due there.

    Parameters
    ----------
    batch
        Pairs with a past score, with or without an outcome.
    """
    over_B = ends.over_until.reindex(batch.subject_B).to_numpy()
    death_B, withdrawal_B = (
        days.reindex(batch.subject_B).to_numpy(dtype=np.float64)
        for days in (ends.death, ends.withdrawal)
    )
    parts = []
    for h, horizon in enumerate(task.horizons):
        start, end = horizon.window_days
        observed_B = ~np.isnan(batch.truth_BH[:, h])
        if not observed_B.any():
            continue
        inside = ends.traced[(ends.traced >= start) & (ends.traced < end)]
        due_B = (batch.origin_day_B < horizon.day) & (over_B >= end - 1)
        status_B = np.select(
            [
                observed_B & np.isin(batch.subject_B, inside.index.to_numpy()),
                observed_B,
                death_B < end,
                withdrawal_B < end,
                ~np.isnan(batch.truth_BH[:, h + 1 :]).all(axis=1),
            ],
            [
                OutcomeStatus.TRACED,
                OutcomeStatus.OBSERVED,
                OutcomeStatus.DIED,
                OutcomeStatus.WITHDREW,
                OutcomeStatus.MISSED,
            ],
            OutcomeStatus.LOST,
        ).astype(object)
        parts.append(_rows(batch, ends, task, due_B, horizon.day, status_B))
    return pd.concat(parts, ignore_index=True) if parts else _empty(batch, ends, task)


def people_to_trace(batch: SequenceBatch, ends: Ends, task: Task) -> NDArray[np.int64]:
    """Return the subjects of whom an outcome that was due was lost, in ascending order."""
    rows = follow_up_rows(batch, ends, task)
    lost = rows.loc[rows[columns.STATUS] == OutcomeStatus.LOST, columns.SUBJECT]
    # Whoever has withdrawn since is not called.
    gone = [*ends.withdrawal.index, *ends.death.index]
    return np.setdiff1d(lost.to_numpy(dtype=np.int64), np.array(gone, dtype=np.int64))


def draw_to_trace(cohort: Cohort, task: Task, share: float, seed: int) -> pd.DataFrame:
    """Draw at random whom to call of those whose outcome was due and is lost.

    A fixed number of them, at least one, so that each has the same chance. Whoever was in a draw
    before is not drawn again.

    Returns
    -------
    Everybody whom the draw was made from, as `REHABCAST//TRACING_CHANCE` and
    `REHABCAST//TRACING_DRAWN` tell it: `subject` (the source's identifier), `tracing_chance`,
    `drawn`; and an empty `traced_on_day`, to be filled in. Empty where nobody is lost.
    """
    events = cohort.events
    layout = training_sequences(events, task).layout
    batch = cohort_sequences(events, task, layout, outcomes=False)
    ends = ends_of(events, dates_shifted=cohort.provenance.dates_shifted)
    lost = np.setdiff1d(people_to_trace(batch, ends, task), ends.chance.index.to_numpy())
    drawn = np.zeros(len(lost), dtype=np.bool_)
    count = min(len(lost), max(1, round(share * len(lost))))
    drawn[np.random.default_rng(seed).permutation(len(lost))[:count]] = True
    return pd.DataFrame(
        {
            "subject": [cohort.label(number) for number in lost.tolist()],
            "tracing_chance": count / max(1, len(lost)),
            "drawn": np.where(drawn, "yes", "no"),
            "traced_on_day": "",
        }
    )


def _rows(
    batch: SequenceBatch,
    ends: Ends,
    task: Task,
    due_B: NDArray[np.bool_],
    day: int,
    status_B: NDArray[np.object_],
) -> pd.DataFrame:
    subject_N = batch.subject_B[due_B]
    rows = pd.DataFrame(
        {
            columns.SUBJECT: subject_N,
            columns.ORIGIN: batch.origin_day_B[due_B],
            columns.HORIZON: day,
            columns.STATUS: status_B[due_B],
            columns.TRACING_CHANCE: ends.chance.reindex(subject_N).to_numpy(dtype=np.float64),
            columns.DRAWN: np.isin(subject_N, ends.drawn.index[ends.drawn].to_numpy()),
        }
    )
    for attribute in task.sensitive:
        label_N = batch.groups_B[attribute.name].to_numpy(dtype=object)[due_B]
        rows[columns.GROUP + attribute.name] = group_column(attribute, label_N)
    return rows


def _empty(batch: SequenceBatch, ends: Ends, task: Task) -> pd.DataFrame:
    nobody_B = np.zeros(len(batch), dtype=np.bool_)
    return _rows(batch, ends, task, nobody_B, 0, np.empty(len(batch), dtype=object))


def _day(time: pd.Series[pd.Timestamp]) -> pd.Series[int]:
    days = time.to_numpy().astype("datetime64[D]").astype(np.int64)
    return pd.Series(days, index=time.index)
