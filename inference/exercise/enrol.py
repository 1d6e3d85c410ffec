"""From a few demonstrated repetitions to the template of an exercise."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import ContractError
from contracts.exercise import Side
from features.exercise.frame import as_right, upright
from features.exercise.motion import Motion
from features.exercise.repetitions import repetitions
from features.exercise.sets import sets
from inference.exercise.recogniser import Recogniser
from inference.exercise.templates import TemplateFile

LEAST_SHOWN = 2
"""Of one repetition nobody can tell where it begins and ends."""


def enrolled(
    motions: Sequence[Motion], side: Side, exercise: str, recogniser: Recogniser, *, name: str
) -> TemplateFile:
    """Return the template of a recording that holds the demonstrated repetitions and little else.

    Raises
    ------
    ContractError
        The recording has a hole, or holds fewer than two repetitions.
    """
    if len(motions) != 1:
        raise ContractError(
            f"{name}: it is in {len(motions)} parts, with holes between them",
            "record the demonstrated repetitions again, without a break",
        )
    values_T6 = motions[0].values_T6
    found = sets(values_T6)
    if len(found) > 1:
        raise ContractError(
            f"{name}: it holds {len(found)} sets, with rests between them",
            "cut out the one with the demonstrated repetitions",
        )
    values_T6 = values_T6[slice(*found[0])] if found else values_T6
    shown = repetitions(values_T6)
    if len(shown) < LEAST_SHOWN:
        raise ContractError(
            f"{name}: {len(shown)} repetition(s) can be seen in it",
            "record at least three, one after the other, and nothing else",
        )
    place_D = recogniser.place(
        upright(as_right(values_T6[shown[0][0] : shown[-1][1]], side)),
        with_rotation=motions[0].has_rotation,
    )
    return TemplateFile(
        exercise=exercise, side=side, repetitions=len(shown), model_version=recogniser.version,
        gyroscope=motions[0].has_rotation, place=tuple(map(float, place_D)),
    )  # fmt: skip
