"""The pattern that a person's course shows on the day of a forecast: what was known then, no more.

A range may hold for people in general and fail where it matters: after a fall of the score, in the
first days, at the ends of the scale, or with a single score. An audit counts how often it holds for
each (`audits.measure.groups.by_pattern`).

Letters: B pairs of subject and origin.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from contracts.predictions import PATTERN
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.moments import moments, worsened

EARLY_DAYS = 7
"""Days since onset that are very early: most of the first assessments come later."""

NEAR_END = 0.1
"""Share of the scale at either end where a score can hardly fall, or rise, any more."""

WORSE, STEADY, BETTER, ONE_SCORE = "became worse", "about as before", "improved", "one score only"
EARLY, LATER = f"first {EARLY_DAYS} days", "later"
FLOOR, MIDDLE, CEILING = "lowest tenth", "between", "highest tenth"


def patterns(batch: SequenceBatch, task: Task) -> Mapping[str, NDArray[np.object_]]:
    """Return the pattern of each pair, by what it is of, (B,) each.

    A change within the minimal important difference, which is about the error of a score, is none.
    """
    at = moments(batch, task)
    noise = task.target.minimal_important_difference
    course = {
        ONE_SCORE: np.isnan(at.change_B),
        WORSE: worsened(at.change_B, task.target),
        BETTER: at.change_B > noise,
    }
    place = {FLOOR: at.score_B <= NEAR_END, CEILING: at.score_B >= 1 - NEAR_END}
    return {
        "course": _chosen(course, STEADY),
        "time since onset": _chosen({EARLY: at.days_B < EARLY_DAYS}, LATER),
        "place on the scale": _chosen(place, MIDDLE),
    }


def pattern_labels(batch: SequenceBatch, task: Task) -> dict[str, str]:
    """Return the patterns of the first pair, by the names of a prediction table's columns."""
    return {PATTERN + name: str(label_B[0]) for name, label_B in patterns(batch, task).items()}


def _chosen(conditions: Mapping[str, NDArray[np.bool_]], other: str) -> NDArray[np.object_]:
    """Return the label of the first condition that holds, else the other one."""
    labels = np.select(list(conditions.values()), list(conditions), default=other)
    return np.asarray(labels, dtype=object)
