"""What of a record is odd enough to be checked before anybody believes it, and yet possible.

What is impossible is refused where a record is read (`inference.record`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from contracts.observation import Observation
from contracts.task import Task
from contracts.vocabulary import Kind, vocabulary
from features.past.therapy import days_of_therapy, is_possible
from serving.forecast.question import Question

SCORE_UNIT = "{score}"
"""Unit of instruments that are counted in whole steps; a distance has no steps."""

ARM_SCORE, ARM_USE = "REHABCAST//FUGL_MEYER_UE", "REHABCAST//ARM_USE_RATIO"
SEVERE_SCORE = 34
"""Fugl-Meyer arm scores up to here: severe, or severe to moderate (Woytowicz 2017)."""

BOTH_ALIKE = 1.0
"""Use ratio above which the affected arm does more than the other. Healthy adults: 0.95, standard
deviation 0.06 (Bailey and Lang 2013)."""

LEAST_DAYS = 3
"""Days of which the use ratio is judged; of fewer it may be a day's accident."""

MOST_SHOWN = 3


def doubts(question: Question, task: Task, origin: int) -> list[str]:
    """Say what of a record should be checked, of the days that the forecast reads.

    Parameters
    ----------
    origin
        The forecast's day after enrolment.
    """
    asked = question.enrolment_day + origin
    recent = [
        each
        for each in question.observations
        if each.day_since_onset is not None
        and asked - task.inputs.past_days < each.day_since_onset <= asked
    ]
    return [*_between_scores(recent), *_swapped_bracelets(recent), *_therapy(recent)]


def _between_scores(observations: Iterable[Observation]) -> Iterator[str]:
    """Say which scores lie between two that the instrument can have."""
    found = 0
    for each in observations:
        entry, value = vocabulary()[each.code], each.value
        if entry.kind is not Kind.ASSESSMENT or entry.unit != SCORE_UNIT or not entry.step:
            continue
        steps = ((value or 0.0) - (entry.low or 0.0)) / entry.step
        if value is None or np.isclose(steps, round(steps), atol=1e-6):
            continue
        yield (
            f"{entry.name} {value:g} on day {each.day_since_onset} after the onset: the instrument"
            f" has only whole steps of {entry.step:g}{entry.doubt('step')}, so ask whether it is a"
            " mean of two readings, an error or another scale; taken as sent"
        )
        if (found := found + 1) == MOST_SHOWN:
            return


def _swapped_bracelets(observations: Iterable[Observation]) -> Iterator[str]:
    """Say that the use ratio contradicts the arm's score: the sensors may be on the wrong sides."""
    kept = list(observations)
    scores = [(each.day_since_onset, each.value) for each in kept if each.code == ARM_SCORE]
    ratios = [each.value for each in kept if each.code == ARM_USE and each.value is not None]
    if not scores or len(ratios) < LEAST_DAYS:
        return
    _, newest = max(scores)
    ratio = float(np.median(ratios))
    if newest is not None and newest <= SEVERE_SCORE and ratio > BOTH_ALIKE:
        yield (
            f"{vocabulary()[ARM_USE].name}, median {ratio:.2g}, does not fit a"
            f" {vocabulary()[ARM_SCORE].name} score of {newest:g}: by it the affected arm does more"
            " than the other; check whether the sensors are on the wrong sides"
        )


def _therapy(observations: Iterable[Observation]) -> Iterator[str]:
    """Say of which days therapy was left out, because it contradicts itself or no day has it."""
    found = days_of_therapy(observations)
    if at_odds := [day for day, of_day in found.items() if of_day.at_odds]:
        yield (
            f"therapy of one kind is longer than all therapy of {_days(at_odds)}: neither was"
            " used; check the minutes"
        )
    if too_long := [day for day, one in found.items() if not is_possible(one.added_up or 0.0)]:
        yield (
            f"the disciplines of therapy of {_days(too_long)} add up to more than a day can have:"
            " they were not added up; check the minutes"
        )


def _days(days: Sequence[int]) -> str:
    more = len(days) - MOST_SHOWN
    named = ", ".join(str(day) for day in sorted(days)[:MOST_SHOWN])
    return f"day {named}{f' and {more} more' if more > 0 else ''} after the onset"
