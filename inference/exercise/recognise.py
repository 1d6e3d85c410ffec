"""From a recording to its sets: found, recognised, counted, measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ContractError, Problem
from contracts.exercise import ExerciseSet, Repetition, SetFile, Side, Span
from contracts.exercise.sets import MOST_DEG
from features.exercise.frame import as_right, handedness, upright
from features.exercise.measures import measured
from features.exercise.motion import RATE_HZ, Motion
from features.exercise.repetitions import repetitions
from features.exercise.sets import sets
from inference.exercise.recogniser import Recogniser
from inference.exercise.templates import Template

Array = NDArray[np.float32]

STILL_G, STILL_DEG_S = 0.01, 1.0
"""Standard deviations below which a sensor lay on a table (local)."""

LEAST_REPETITIONS = 3
AT_END_S = 1.0
OTHER_SIDE, LEAST_HANDED = -0.3, 0.001
"""Share of the usual handedness at which sets are taken for the other hand's, and the least mean
square of the usual one (g^4) by which hands can be told (local)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What a recording holds, and what a reader should know of it."""

    file: SetFile
    problems: tuple[Problem, ...]


def recognise(
    motions: Sequence[Motion],
    side: Side,
    recogniser: Recogniser,
    templates: Sequence[Template] = (),
    *,
    name: str = "recording",
    simulated: bool = False,
) -> Recognised:
    """Return the sets of a recording of one wrist.

    Parameters
    ----------
    side
        Of the wrist; nobody can tell it from the recording alone.
    templates
        Of the person's own demonstrated repetitions; without them, what the recogniser learned of
        others.
    name
        Of the recording, in problems.
    simulated
        Whether nobody moved. What a recogniser of SIMULATED recordings finds is that in any case.

    Raises
    ------
    ContractError
        Nothing moved all along, it turned farther than a limb can, or what was done is of the other
        side.
    """
    _require_movement(motions)
    found: list[ExerciseSet] = []
    problems: list[Problem] = []
    handed: list[float] = []
    usual: list[float] = []
    for motion in motions:
        for first, last in sets(motion.values_T6):
            values_T6 = motion.values_T6[first:last]
            done = measured(values_T6, repetitions(values_T6))
            if len(done) < LEAST_REPETITIONS:
                continue
            start, end = (_local(motion, place) for place in (first, last))
            if motion.has_rotation:
                problems += _beyond_a_limb(name, start, done)
            right_T6 = upright(as_right(values_T6, side))
            what = recogniser.recognise(
                right_T6, with_rotation=motion.has_rotation, templates=templates
            )
            if what.exercise in recogniser.exercises:
                handed.append(handedness(right_T6))
                usual.append(
                    recogniser.handedness(what.exercise, with_rotation=motion.has_rotation)
                )
            found.append(
                ExerciseSet(
                    exercise=what.exercise, side=side, start=start, end=end, repetitions=done,
                    confidence=what.confidence, model_version=recogniser.version,
                )
            )  # fmt: skip
            if last >= len(motion.values_T6) - AT_END_S * RATE_HZ:
                problems.append(_cut(name, start))
    _require_side(handed, usual, side)
    spans = tuple(Span(start=_local(each, 0), end=_local(each, len(each.values_T6)))
                  for each in motions)  # fmt: skip
    file = SetFile(sets=tuple(found), recorded=spans, simulated=simulated or recogniser.simulated)
    return Recognised(file=file, problems=tuple(problems))


def _local(motion: Motion, sample: int) -> datetime:
    since = np.timedelta64(round(sample / RATE_HZ * 1e6), "us")
    local: datetime = (motion.start.astype("datetime64[us]") + since).item()
    return local


def _cut(name: str, start: datetime) -> Problem:
    return Problem(
        file=name, row=None, field=start.isoformat(sep=" ", timespec="seconds"),
        found="the recording ends within this set, and what came later is not counted",
        advice="let the recording run on until after the last set",
    )  # fmt: skip


def _beyond_a_limb(name: str, start: datetime, done: Sequence[Repetition]) -> Iterator[Problem]:
    """Yield that some ranges of a set with rotation are not known; refuse it where most are not.

    No limb goes to and fro by more than `MOST_DEG`: in 112 sets of shoulder exercises (SPAR, Burns
    2018) the farthest repetition had 246 degrees, and half of each set's had at most 215.
    """
    beyond = sum(one.range_deg is None for one in done)
    when = start.isoformat(sep=" ", timespec="seconds")
    if 2 * beyond > len(done):
        raise ContractError(
            f"{name}: {beyond} of the {len(done)} repetitions at {when} turn by more than"
            f" {MOST_DEG:g} degrees to and fro, farther than any limb",
            "correct the unit of the rotation in [[signals]] of the map: it looks like deg/s that"
            " are declared as rad/s",
        )
    if beyond:
        yield Problem(
            file=name, row=None, field=when,
            found=f"{beyond} of its {len(done)} repetitions turn by more than {MOST_DEG:g} degrees,"
            " farther than any limb, and their range is taken as not known",
            advice="check how the sensor is held to the wrist",
        )  # fmt: skip


def _require_movement(motions: Sequence[Motion]) -> None:
    for motion in motions:
        spread = motion.values_T6.std(axis=0)
        turning = spread[3:] if motion.has_rotation else np.zeros(3)
        if spread[:3].max() >= STILL_G or turning.max() >= STILL_DEG_S:
            return
    raise ContractError(
        "nothing moves in it from beginning to end: the sensor was not worn",
        "check that it is the recording of this person and this day",
    )


def other_side(handed: Sequence[float], usual: Sequence[float]) -> bool:
    """Return whether sets look like those of the other hand.

    Parameters
    ----------
    handed, usual
        Handedness of each set, and that of its exercise.
    """
    weight = float(np.square(usual).sum())
    if not len(usual) or weight < LEAST_HANDED * len(usual):
        return False
    return float(np.dot(handed, usual)) / weight < OTHER_SIDE


def _require_side(handed: Sequence[float], usual: Sequence[float], side: Side) -> None:
    if other_side(handed, usual):
        other = "left" if side == "right" else "right"
        raise ContractError(
            f"it is declared as of the {side} wrist, and in its {len(handed)} known set(s) gravity"
            f" lies as on the {other}",
            "correct the placement in the map, or how the watch is worn",
        )
