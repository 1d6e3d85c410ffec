"""A repetition is judged by the goals that there are, and only where they were measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.exercise import Exercise
from features.adherence.quality import is_as_shown, quality_of
from tests.simulated_exercise import ROTATION, a_set

ONE = a_set(0, ROTATION, 1).repetitions[0]
NO_GOAL = Exercise(name="n", side="left", sets=1, per="day", repetitions=10)
SMOOTH = NO_GOAL.model_copy(update={"goal_smoothness": -2.5})


@pytest.mark.parametrize(
    ("one", "exercise", "expected"),
    [
        (ONE, ROTATION, True),
        (ONE, NO_GOAL, None),
        (replace(ONE, range_deg=59.9), ROTATION, False),
        (replace(ONE, duration_s=2.4), ROTATION, False),
        (replace(ONE, range_deg=None), ROTATION, None),
        (replace(ONE, range_deg=None, duration_s=1.0), ROTATION, False),
        (replace(ONE, smoothness_sparc=-2.4), SMOOTH, True),
        (replace(ONE, smoothness_sparc=-2.6), SMOOTH, False),
        (replace(ONE, smoothness_sparc=None), SMOOTH, None),
    ],
)
def test_a_repetition_is_judged(one: object, exercise: Exercise, expected: bool | None) -> None:
    assert is_as_shown(one, exercise) is expected  # type: ignore[arg-type]


def test_few_judged_repetitions_are_no_share() -> None:
    some = a_set(0, ROTATION, 4)
    assert quality_of([(ROTATION, some)]).as_shown is None
    assert quality_of([(ROTATION, some), (ROTATION, a_set(0, ROTATION, 0, 1))]).as_shown == 0.8
    half_blind = tuple(
        replace(one, range_deg=None if n % 3 else one.range_deg)
        for n, one in enumerate(a_set(0, ROTATION, 18).repetitions)
    )
    assert quality_of([(ROTATION, replace(some, repetitions=half_blind))]).as_shown is None


def test_fatigue_is_the_fall_of_range_within_a_set() -> None:
    falling = tuple(
        replace(one, range_deg=range_deg, duration_s=duration)
        for one, range_deg, duration in zip(
            a_set(0, ROTATION, 6).repetitions, (80, 80, 70, 70, 60, 60), (2, 4, 2, 4, 2, 4),
            strict=True,
        )
    )  # fmt: skip
    found = quality_of([(ROTATION, replace(a_set(0, ROTATION, 6), repetitions=falling))])
    assert found.fatigue == pytest.approx(0.25)
    assert found.irregularity == pytest.approx(1 / 3)
    assert quality_of([(ROTATION, a_set(0, ROTATION, 5))]).fatigue is None


def test_of_nothing_nothing_is_known() -> None:
    found = quality_of([])
    assert {getattr(found, name) for name in found.__slots__} == {None}
