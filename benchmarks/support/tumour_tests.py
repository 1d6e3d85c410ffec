"""What is asked of a model about simulated tumours: other treatments of today, or of a week.

Letters: P patients, T days, O options, H steps ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from support.tumour import (
    DAYS,
    WINDOW,
    Actions,
    Array,
    Courses,
    Patients,
    ahead,
    diameter,
    follow,
    own_history,
)

STEPS = 6
"""Days ahead of the longest forecast: after today's real action five are another's."""


class Question(StrEnum):
    """What is varied."""

    ONE_STEP = "one step"
    SLIDING = "sliding"
    RANDOM = "random"

    @property
    def options(self) -> int:
        """Return how many sequences are asked about each day."""
        return 4 if self is Question.ONE_STEP else 10


class Rule(StrEnum):
    """Whose tumour the treatments of test patients follow."""

    OWN = "own history"
    RELEASED = "released rows"
    """As the published test sets were made: patient i's treatments look at row i of the rows that
    are being written, which is one of the first few patients."""


@dataclass(frozen=True)
class Asked:
    """Test patients and what would have become of them."""

    question: Question
    patients: Patients
    courses: Courses
    action_PTOH: Actions
    truth_PTOH: Array
    """NaN where a person is not followed any more, or a row is left out."""


def asked(
    question: Question, rule: Rule, patients: Patients, gamma: float, rng: np.random.Generator
) -> Asked:
    """Follow test patients, and from every day on let them be treated otherwise."""
    if rule is Rule.OWN:
        courses = follow(patients, gamma, own_history, rng, beyond=STEPS)
    else:
        courses = _by_rows(question, patients, gamma, rng)
    days = DAYS - 1
    action_PTOH = np.stack([_options(question, courses, day, rng) for day in range(days)], axis=1)
    truth_PTOH = np.stack(
        [ahead(patients, courses, day, action_PTOH[:, day]) for day in range(days)], axis=1
    )
    return Asked(question, patients, courses, action_PTOH, _whole_rows(truth_PTOH))


def _whole_rows(truth_PTOH: Array) -> Array:
    """Leave out rows with a missing volume, as the published evaluation does."""
    whole_PTO1 = np.isfinite(truth_PTOH).all(axis=-1, keepdims=True)
    return np.where(whole_PTO1, truth_PTOH, np.nan)


def _options(question: Question, courses: Courses, day: int, rng: np.random.Generator) -> Actions:
    people = len(courses.action_PT)
    if question is Question.ONE_STEP:
        return np.tile(np.arange(4)[:, None], (people, 1, 1))
    today_PO1 = np.repeat(courses.action_PT[:, day, None, None], question.options, axis=1)
    if question is Question.RANDOM:
        later = rng.integers(0, 4, (people, question.options, STEPS - 1))
    else:
        once = np.eye(STEPS - 1, dtype=np.int64)
        later = np.tile(np.vstack([once, 2 * once]), (people, 1, 1))
    return np.concatenate([today_PO1, later], axis=-1)


def _by_rows(
    question: Question, patients: Patients, gamma: float, rng: np.random.Generator
) -> Courses:
    """Follow patients in turn until they fill as many rows as there are patients, then the rest."""
    rows_RT = np.zeros((len(patients), DAYS))
    written, parts = 0, list[Courses]()
    while written < len(patients) and len(parts) < len(patients):
        one = patients.take(slice(len(parts), len(parts) + 1))
        looked_at = _RowLookedAt(rows_RT[len(parts)][None].copy())
        parts.append(follow(one, gamma, looked_at, rng, beyond=STEPS))
        for row_T in _rows_of(question, one, parts[-1], rng):
            if written < len(patients):
                rows_RT[written] = row_T
                written += 1
    rest = slice(len(parts), len(patients))
    if len(parts) < len(patients):
        looked_at = _RowLookedAt(rows_RT[rest])
        parts.append(follow(patients.take(rest), gamma, looked_at, rng, beyond=STEPS))
    names = ("volume_PT", "action_PT", "dose_PT", "noise_PT")
    return Courses(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


class _RowLookedAt:
    """The mean diameter of a row of the output, zeros after its end included."""

    def __init__(self, row_PT: Array) -> None:
        self.row_PT = row_PT

    def __call__(self, volume_PT: Array, day: int) -> Array:
        return np.asarray(
            diameter(self.row_PT[:, max(day - WINDOW, 0) : day + 1]).mean(axis=1), dtype=np.float64
        )


def _rows_of(
    question: Question, one: Patients, course: Courses, rng: np.random.Generator
) -> list[Array]:
    """Return the rows that one patient fills: their days until one, and what might have come."""
    rows = []
    for day in range(DAYS - 1):
        if np.isnan(course.volume_PT[0, day]):
            break
        for later_H in ahead(one, course, day, _options(question, course, day, rng))[0]:
            row_T = np.zeros(DAYS + STEPS)
            row_T[: day + 1] = course.volume_PT[0, : day + 1]
            row_T[day + 1 : day + 1 + len(later_H)] = np.nan_to_num(later_H)
            rows.append(row_T[:DAYS])
    return rows
