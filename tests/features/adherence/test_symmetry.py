"""Left beside right: Robinson's index, of what both sides did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.exercise import Exercise, ExerciseSet, SetFile, codes
from features.adherence.days import daily_values
from features.adherence.observed import observe
from features.adherence.symmetry import Pair, asymmetry_of, both_sides
from tests.simulated_exercise import PROGRAMME, ROTATION, SLIDE, a_set, day, set_file

LEFT = ROTATION.model_copy(update={"side": "left"})


def done(left: float, right: float, count: int = 6) -> list[tuple[Exercise, ExerciseSet]]:
    """Return a set of each side, ranges as parts of the goal."""
    made = []
    for exercise, part in ((LEFT, left), (ROTATION, right)):
        each = a_set(0, exercise, count, side=exercise.side)
        repetitions = tuple(replace(one, range_deg=60.0 * part) for one in each.repetitions)
        made.append((exercise, replace(each, repetitions=repetitions)))
    return made


def test_the_index_is_that_of_robinson() -> None:
    (both,) = both_sides(done(left=0.9, right=1.1))
    assert both.exercise == "external rotation"
    assert both.range_deg is not None
    assert (both.range_deg.left, both.range_deg.right) == pytest.approx((54, 66))
    assert both.range_deg.asymmetry == pytest.approx(0.2), "12 of 60"
    assert both.seconds is not None
    assert both.seconds.asymmetry == 0


@given(st.floats(0.1, 180), st.floats(0.1, 180), st.floats(0.1, 10))
def test_sides_and_unit_decide_nothing(left: float, right: float, unit: float) -> None:
    index = Pair(left=left, right=right).asymmetry
    assert 0 <= index <= 2
    assert Pair(left=right, right=left).asymmetry == index
    assert Pair(left=unit * left, right=unit * right).asymmetry == pytest.approx(index, abs=1e-9)


def test_one_repetition_that_was_cut_short_decides_nothing() -> None:
    (left, each), right = done(1.0, 1.0)
    first, *others = each.repetitions
    short = replace(each, repetitions=(replace(first, range_deg=3.0), *others))
    (both,) = both_sides([(left, short), right])
    assert both.range_deg is not None
    assert both.range_deg.asymmetry == 0


def test_one_side_or_few_repetitions_or_two_exercises_are_not_compared() -> None:
    assert both_sides(done(1, 1)[:1]) == ()
    assert both_sides(done(1, 1, count=4)) == ()
    assert both_sides([done(1, 1)[0], (SLIDE, a_set(0, SLIDE, 8))]) == ()
    assert asymmetry_of([None]) is None


def test_they_are_daily_values_of_days_on_which_both_sides_did_it() -> None:
    both = PROGRAMME.model_copy(update={"exercises": (ROTATION, LEFT)})
    sets = [replace(each, start=each.start.replace(hour=hour), end=each.end.replace(hour=hour))
            for hour, (_, each) in zip((9, 10), done(0.9, 1.1), strict=True)]  # fmt: skip
    with_trunk = [
        replace(each, repetitions=tuple(replace(one, trunk_deg=12.0) for one in each.repetitions))
        for each in sets
    ]
    alone = a_set(1, ROTATION, 8)
    file: SetFile = set_file([*with_trunk, alone])
    values = {(each.day, each.code): each.value for each in daily_values(observe(both, file))}
    assert values[day(0), codes.RANGE_ASYMMETRY] == pytest.approx(0.2)
    assert values[day(0), codes.TIME_ASYMMETRY] == 0
    assert values[day(0), codes.TRUNK] == 12
    assert not {code for at, code in values if at == day(1)} & {
        codes.RANGE_ASYMMETRY, codes.TIME_ASYMMETRY, codes.TRUNK,
    }  # fmt: skip
