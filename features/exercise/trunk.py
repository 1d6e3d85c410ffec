"""How far the trunk moves along in each repetition: who cannot move the arm leans and turns.

Measured is the largest rotation of the trunk from where it was as the repetition began, in degrees,
leaning and turning together. In reaching, displacement of the trunk tells compensation (Cirstea and
Levin 2000, Compensatory strategies for reaching in stroke, Brain 123, 940); a sensor on the trunk
knows its orientation, not its place, so this is the angle that goes with it. Without a magnetometer
heading drifts, and a gyroscope is off by a constant: a trunk ends a set about where it began, so
the mean rotation of a set is taken for that constant.

Letters: T samples at `RATE_HZ`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contracts.exercise import ExerciseSet, Repetition
from contracts.exercise.sets import SLACK_S
from features.biomarkers.range_of_motion import orientations
from features.exercise.motion import RATE_HZ, SECOND, Motion

BEFORE_S = 0.5
"""Before a set, of which the trunk rests mostly; a repetition may reach so far before its set."""

Array = NDArray[np.float32]


def with_trunk(sets: Sequence[ExerciseSet], trunk: Sequence[Motion]) -> tuple[ExerciseSet, ...]:
    """Return sets with the movement of the trunk in those repetitions that its sensor recorded.

    Parameters
    ----------
    trunk
        A recording of the trunk with a gyroscope, by the same clock as the sets.
    """
    return tuple(replace(each, repetitions=_of_set(each, trunk)) for each in sets)


def _of_set(each: ExerciseSet, trunk: Sequence[Motion]) -> tuple[Repetition, ...]:
    start, end = (np.datetime64(time, "ns") for time in (each.start, each.end))
    done = each.repetitions
    for piece in trunk:
        if piece.start < end and piece.end > start:
            begin = round(float((start - piece.start) / SECOND) * RATE_HZ)
            turned = _within(piece, begin, each)
            done = tuple(
                one if deg is None else replace(one, trunk_deg=deg)
                for one, deg in zip(done, turned, strict=True)
            )
    return done


def _within(piece: Motion, begin: int, each: ExerciseSet) -> list[float | None]:
    """Return what a piece of the recording tells of a set that begins at one of its samples."""
    first = max(0, begin - round(BEFORE_S * RATE_HZ))
    last = begin + round((each.seconds + SLACK_S) * RATE_HZ)
    spans = [
        (begin - first + round(one.start_s * RATE_HZ), begin - first + round(one.end_s * RATE_HZ))
        for one in each.repetitions
    ]
    return turns(piece.values_T6[first:last], spans)


def turns(values_T6: Array, spans: Sequence[tuple[int, int]]) -> list[float | None]:
    """Return the largest rotation of each span of samples from its first, deg (0 to 180).

    None of a span that the recording does not hold as a whole.
    """
    if not len(values_T6):
        return [None for _ in spans]
    values = values_T6.astype(np.float64)
    turn = orientations(values[:, :3], values[:, 3:] - values[:, 3:].mean(axis=0), RATE_HZ)
    return [
        float(np.degrees((turn[first].inv() * turn[first:last]).magnitude().max()))
        if 0 <= first < last <= len(values)
        else None
        for first, last in spans
    ]
