"""What a recogniser says of people whom it has not learned from: each is left out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ContractError
from features.exercise.frame import as_right, upright
from inference.exercise.recogniser import Recogniser, Recognition
from training.exercise.fit import LEAST_PEOPLE, LabelledSet, fit_heads
from training.exercise.impaired import IMPAIRMENTS

LEAST_OF_EACH = 3
"""People who did an exercise: with one left out, two of whom it is learned."""

Array = NDArray[np.float32]


class Recognises(Protocol):
    """What was fitted."""

    def recognise(self, values_T6: Array, *, with_rotation: bool) -> Recognition:
        """Return what a set is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutAnswer:
    """What was said of a set by a recogniser that had not learned from its person.

    Parameters
    ----------
    number
        Of the set, in the order given.
    movement
        How it was done: as recorded, or a SIMULATED impairment.
    right
        Whether it got its name.
    """

    number: int
    movement: str
    right: bool


def fitted(labelled: Sequence[LabelledSet], seed: int) -> Recognises:
    """Return a recogniser of some people."""
    exercises, heads = fit_heads(labelled, seed)
    return Recogniser(
        exercises=exercises, heads=heads, version="left out", people=0, simulated=False
    )


def answers_of_people_left_out(
    labelled: Sequence[LabelledSet],
    seed: int,
    as_recorded: str,
    fit: Callable[[Sequence[LabelledSet], int], Recognises] = fitted,
) -> list[LeftOutAnswer]:
    """Return what is said of every set, as recorded and impaired.

    Raises
    ------
    ContractError
        Too few people are left to learn from, or to learn an exercise from.
    """
    people = sorted({each.person for each in labelled})
    if len(people) <= LEAST_PEOPLE:
        raise ContractError(
            f"the sets are of {len(people)} people: each is left out once, and the others are too"
            " few to learn from",
            f"record at least {LEAST_PEOPLE + 1} people",
        )
    for exercise in sorted({each.exercise for each in labelled}):
        if (count := len({o.person for o in labelled if o.exercise == exercise})) < LEAST_OF_EACH:
            raise ContractError(
                f"{count} people did {exercise!r}: with one of them left out it cannot be learned",
                f"record it of {LEAST_OF_EACH} people or more, or leave it out",
            )
    made = []
    for person in people:
        model = fit([each for each in labelled if each.person != person], seed)
        for number, one in enumerate(labelled):
            if one.person != person:
                continue
            moved = {as_recorded: one.values_T6}
            moved |= {name: change(one.values_T6) for name, change in IMPAIRMENTS.items()}
            for movement, values_T6 in moved.items():
                said = model.recognise(upright(as_right(values_T6, one.side)), with_rotation=True)
                right = said.exercise == one.exercise
                made.append(LeftOutAnswer(number=number, movement=movement, right=right))
    return made
