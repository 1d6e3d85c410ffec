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

LEAST_SHOWN = 3
"""With fewer nobody has looked at how many sets get the right name."""


def enrolled(
    motions: Sequence[Motion], side: Side, exercise: str, recogniser: Recogniser, *, name: str
) -> TemplateFile:
    """Return the template of a recording that holds the demonstrated repetitions and little else.

    Raises
    ------
    ContractError
        The recording has a hole, or holds fewer than three repetitions.
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
            f"{name}: {len(shown)} repetition(s) can be seen in it, and {LEAST_SHOWN} are needed",
            f"record at least {LEAST_SHOWN}, one after the other, and nothing else",
        )
    template = recogniser.template(
        exercise, upright(as_right(values_T6[shown[0][0] : shown[-1][1]], side)),
        with_rotation=motions[0].has_rotation,
    )  # fmt: skip
    return TemplateFile(
        exercise=exercise, side=side, repetitions=len(shown), model_version=recogniser.version,
        gyroscope=motions[0].has_rotation, place=tuple(map(float, template.place_D)),
        scores=tuple(map(float, template.score_E)),
    )  # fmt: skip
