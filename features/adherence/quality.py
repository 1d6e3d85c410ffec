"""How well repetitions were done: against the goals of the programme, and by their own measures.

A repetition that lacks a measure which a goal asks for is not judged: neither well nor badly done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev

from contracts.exercise import Exercise, ExerciseSet, Repetition

LEAST_JUDGED = 5
"""Repetitions of which a share is said: of fewer one more or less decides (local)."""
JUDGED_PART = 0.5
"""Part of the repetitions that must be judged: the others may be the bad ones (local)."""

LEAST_IN_SET = 6
"""Repetitions of a set whose first and last third are compared: two of each (local)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well some repetitions were done; None where it is not known.

    Parameters
    ----------
    as_shown
        Share of the judged repetitions that reach every goal.
    range_part, pace_part
        Median of range and time, of their goals.
    range_deg, seconds, smoothness
        Medians: degrees, seconds and SPARC.
    irregularity
        Coefficient of variation of the time of a set's repetitions, median over sets.
    fatigue
        1 less the range of the last third of a set over that of the first, median over sets.
    trunk_deg
        Median movement of the trunk, degrees.
    """

    as_shown: float | None
    range_part: float | None
    pace_part: float | None
    range_deg: float | None
    seconds: float | None
    smoothness: float | None
    irregularity: float | None
    fatigue: float | None
    trunk_deg: float | None


Done = tuple[Exercise, ExerciseSet]


def is_as_shown(one: Repetition, exercise: Exercise) -> bool | None:
    """Return whether a repetition reaches every goal; None where that is not known."""
    pairs = (
        (exercise.goal_range_deg, one.range_deg),
        (exercise.goal_seconds, one.duration_s),
        (exercise.goal_smoothness, one.smoothness_sparc),
    )
    asked = [(goal, found) for goal, found in pairs if goal is not None]
    if any(found is not None and found < goal for goal, found in asked):
        return False
    return True if asked and all(found is not None for _, found in asked) else None


def quality_of(done: Iterable[Done]) -> Quality:
    """Say how well sets were done, of one exercise or several."""
    done = list(done)
    pairs = [(exercise, one) for exercise, each in done for one in each.repetitions]
    return Quality(
        as_shown=_share(is_as_shown(one, exercise) for exercise, one in pairs),
        range_part=_median(
            one.range_deg / exercise.goal_range_deg
            for exercise, one in pairs
            if exercise.goal_range_deg is not None and one.range_deg is not None
        ),
        pace_part=_median(
            one.duration_s / exercise.goal_seconds
            for exercise, one in pairs
            if exercise.goal_seconds is not None
        ),
        range_deg=_median(one.range_deg for _, one in pairs if one.range_deg is not None),
        seconds=_median(one.duration_s for _, one in pairs),
        smoothness=_median(
            one.smoothness_sparc for _, one in pairs if one.smoothness_sparc is not None
        ),
        irregularity=_median(_known(_irregularity(each.repetitions) for _, each in done)),
        fatigue=_median(_known(_fatigue(each.repetitions) for _, each in done)),
        trunk_deg=_median(_known(one.trunk_deg for _, one in pairs)),
    )


def _share(judgements: Iterable[bool | None]) -> float | None:
    every = list(judgements)
    judged = [each for each in every if each is not None]
    if len(judged) < max(LEAST_JUDGED, JUDGED_PART * len(every)):
        return None
    return sum(judged) / len(judged)


def _irregularity(repetitions: Sequence[Repetition]) -> float | None:
    seconds = [one.duration_s for one in repetitions]
    return pstdev(seconds) / fmean(seconds) if len(seconds) >= LEAST_IN_SET else None


def _fatigue(repetitions: Sequence[Repetition]) -> float | None:
    ranges = [one.range_deg for one in repetitions if one.range_deg is not None]
    third = len(ranges) // 3
    if len(repetitions) < LEAST_IN_SET or len(ranges) < len(repetitions):
        return None
    first = median(ranges[:third])
    return 1 - median(ranges[-third:]) / first if first > 0 else None


def _known(values: Iterable[float | None]) -> Iterator[float]:
    return (value for value in values if value is not None)


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(median(found)) if found else None
