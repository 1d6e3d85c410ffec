"""Which courses of therapy people like this one had: hours on average over the weeks that followed.

A dose that many had for two weeks may be one that nobody kept for twelve, and a plan of parts that
were all seen may add up to what nobody had. So a plan is judged as a whole too: by its mean hours a
week over each of `WINDOWS`, against what people alike had over as many days from such a day on.

Letters: B pairs, T days, W windows, D places of time since onset, S of the score, E as in
`inference.twin.support`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.bundle import COURSES_SEEN, COURSES_SEEN_FROM
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.therapy import THERAPY
from inference.moments import moments
from inference.similar import people_alike, place_of, rounded_down
from inference.twin.mechanism import DAYS_A_WEEK
from inference.twin.plans import Plan
from inference.twin.support import Seen, bin_of, in_bins, seen_doses

WINDOWS = (28, 84)
"""Days ahead over which a course is averaged: four weeks, and twelve."""

LEAST_KNOWN = 0.5
"""Share of a window's days that must be on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoursesSeen:
    """Which courses the people of a training had, as counts.

    Parameters
    ----------
    count_WDSE
        People alike at each place who had a mean dose of each bin over each window, rounded down.
    first_place
        Place of the first entry along D.
    """

    count_WDSE: NDArray[np.int32]
    first_place: int

    def alike(self, batch: SequenceBatch, task: Task) -> dict[int, tuple[Seen, ...]]:
        """Return for one pair how many people alike had each course, by window."""
        place, score = place_of(moments(batch, task), task.target)
        place -= self.first_place
        inside = 0 <= place < self.count_WDSE.shape[1]
        nobody = np.zeros(self.count_WDSE.shape[-1], dtype=np.int32)
        return {
            days: seen_doses(count_DSE[place, score] if inside else nobody)
            for days, count_DSE in zip(WINDOWS, self.count_WDSE, strict=True)
        }


def unseen_courses(
    plan: Plan, courses: Mapping[int, tuple[Seen, ...]]
) -> tuple[tuple[int, float], ...]:
    """Return the windows over which too few people alike had such a course, with its hours a week.

    Parameters
    ----------
    courses
        As `CoursesSeen.alike` returns them, of the windows that are to be judged.
    """
    mean = {days: plan.minutes_a_week(days) / 60 for days in courses}
    return tuple(
        (days, hours) for days, hours in mean.items() if not courses[days][bin_of(hours)].is_enough
    )


def learn_courses_seen(records: SequenceBatch, task: Task) -> CoursesSeen | None:
    """Count the courses of the people of a training; None where the model reads no therapy.

    Parameters
    ----------
    records
        They on all of their days with a score.
    """
    if THERAPY not in records.layout.channels_C or not len(records):
        return None
    after_WB = hours_after(records, records.layout.channels_C.index(THERAPY))
    had_BWE = np.stack([in_bins(after_B) for after_B in after_WB], axis=1)
    count_DSX, first_place = people_alike(
        records.subject_B, moments(records, task), lambda rows: had_BWE[rows]
    )
    count_DSWE = count_DSX.reshape(*count_DSX.shape[:2], *had_BWE.shape[1:])
    return CoursesSeen(
        count_WDSE=rounded_down(np.moveaxis(count_DSWE, 2, 0)), first_place=first_place
    )


def read_courses_seen(tensors: Mapping[str, NDArray[Any]]) -> CoursesSeen | None:
    """Read what a bundle keeps; None in bundles of earlier versions."""
    if COURSES_SEEN not in tensors:
        return None
    return CoursesSeen(
        count_WDSE=tensors[COURSES_SEEN], first_place=int(tensors[COURSES_SEEN_FROM][0])
    )


def hours_after(records: SequenceBatch, channel: int) -> NDArray[np.float64]:
    """Return the mean hours a week over each window after each pair's day, (W, B).

    From all pasts of a person together. NaN where less than `LEAST_KNOWN` of it is on record.
    """
    found_WB = np.full((len(WINDOWS), len(records)), np.nan)
    order_B = np.argsort(records.subject_B, kind="stable")
    _, starts = np.unique(records.subject_B[order_B], return_index=True)
    for own in np.split(order_B, starts[1:]):
        found_WB[:, own] = _hours_after(records, channel, own)
    return found_WB


def _hours_after(
    records: SequenceBatch, channel: int, own: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the same of one person's pairs."""
    past = records.observed_BTC.shape[1]
    day_B = records.origin_day_B[own]
    first = int(day_B.min()) - past + 1
    # One more day before and as many after as a window has, so that sums are differences.
    minutes, known = np.zeros((2, int(day_B.max()) - first + 2 + max(WINDOWS)))
    for row, day in zip(own, day_B, strict=True):
        seen_T = records.observed_BTC[row, :, channel]
        at = np.arange(past)[seen_T] + int(day) - past + 1 - first + 1
        minutes[at], known[at] = records.values_BTC[row, seen_T, channel], 1
    minutes, known = np.cumsum(minutes), np.cumsum(known)
    today_B = day_B - first + 1
    answer = []
    for days in WINDOWS:
        given_B = minutes[today_B + days] - minutes[today_B]
        known_B = known[today_B + days] - known[today_B]
        hours_B = given_B / np.maximum(known_B, 1) * DAYS_A_WEEK / 60
        answer.append(np.where(known_B >= LEAST_KNOWN * days, hours_B, np.nan))
    return np.stack(answer)
