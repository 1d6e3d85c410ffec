"""Nobody is judged by a recogniser that has learned from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.errors import ContractError
from features.exercise.frame import as_right, upright
from features.exercise.repetitions import repetitions
from inference.exercise.recogniser import Recognition
from tests.simulated_motion import labelled
from training.exercise.fit import LabelledSet
from training.exercise.impaired import IMPAIRMENTS, interrupted, slow, small
from training.exercise.people_left_out import answers_of_people_left_out

PEOPLE = 4


class Remembers:
    """Knows what it has learned from by heart, and nothing else."""

    def __init__(self, learned: Sequence[LabelledSet]) -> None:
        self._learned = [(upright(as_right(o.values_T6, o.side)), o.exercise) for o in learned]

    def recognise(self, values_T6: NDArray[np.float32], *, with_rotation: bool) -> Recognition:
        known = [name for other, name in self._learned if np.array_equal(other, values_T6)]
        return Recognition(exercise=known[0] if known else None, confidence=1.0, distance=0.0)


def test_who_is_judged_was_not_learned_from_and_every_set_is_asked_once_as_each_movement() -> None:
    made = labelled(PEOPLE)
    fits: list[set[str]] = []

    def fit(some: Sequence[LabelledSet], seed: int) -> Remembers:
        assert seed == 7
        fits.append({each.person for each in some})
        return Remembers(some)

    answers = answers_of_people_left_out(made, 7, "as recorded", fit)
    assert [len(people) for people in fits] == [PEOPLE - 1] * PEOPLE
    assert not any(each.right for each in answers), "it would know those that it learned from"
    asked = {(each.number, each.movement) for each in answers}
    assert len(asked) == len(answers) == len(made) * (1 + len(IMPAIRMENTS))


def test_with_three_people_nobody_can_be_left_out() -> None:
    with pytest.raises(ContractError, match="record at least 4 people"):
        answers_of_people_left_out(labelled(3), 0, "as recorded", lambda some, _: Remembers(some))


def test_an_exercise_of_two_people_is_named_before_anything_is_learned() -> None:
    made = [one for one in labelled(PEOPLE) if one.exercise != "turn" or one.person in {"0", "1"}]
    with pytest.raises(ContractError, match="2 people did 'turn'"):
        answers_of_people_left_out(made, 0, "as recorded", lambda some, _: Remembers(some))


def test_the_declared_impairments_are_what_they_say() -> None:
    values_T6 = labelled(1)[0].values_T6
    done = len(repetitions(values_T6))
    assert len(slow(values_T6)) == 2 * len(values_T6)
    turned = np.abs(values_T6[:, 3:]).max()
    assert np.abs(small(values_T6)[:, 3:]).max() == pytest.approx(0.6 * turned, rel=1e-5)
    assert len(interrupted(values_T6)) == len(values_T6) + done * 2 * 10
