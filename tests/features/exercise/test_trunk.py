"""How far a trunk moves along, against SIMULATED trunks whose angle is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from contracts.exercise import ExerciseSet, Repetition
from features.exercise.motion import RATE_HZ, Motion
from features.exercise.simulated import REST_S, Shape, SimulatedSet, simulated_set
from features.exercise.trunk import with_trunk

START = datetime(2026, 3, 2, 10)
LEANS = Shape(axis=(0.0, 1.0, 0.0), held=(0.0, 0.0, 1.0))
TURNS = Shape(axis=(0.0, 0.0, 1.0), held=(0.0, 0.0, 1.0))


def a_trunk(range_deg: float, shape: Shape, seed: int = 0) -> SimulatedSet:
    return simulated_set(8, np.random.default_rng(seed), range_deg=range_deg, shape=shape)


def recorded(trunk: SimulatedSet, at: datetime = START) -> Motion:
    return Motion(start=np.datetime64(at, "ns"), values_T6=trunk.values_T6)


def the_set(trunk: SimulatedSet) -> ExerciseSet:
    """Return the set of the arm that goes with a trunk."""
    ends = REST_S + np.cumsum(trunk.seconds)
    repetitions = tuple(
        Repetition(
            start_s=float(end - long), end_s=float(end), range_deg=90.0, duration_s=float(long),
            tempo=0.5, smoothness_sparc=-2.0, smoothness_ldlj=-6.0,
        )
        for end, long in zip(ends, trunk.seconds, strict=True)
    )  # fmt: skip
    seconds = len(trunk.values_T6) / RATE_HZ
    return ExerciseSet(
        exercise="reaching", side="right", start=START, end=START + timedelta(seconds=seconds),
        repetitions=repetitions, confidence=0.9, model_version="simulated/1",
    )  # fmt: skip


def measured(each: ExerciseSet, *trunk: Motion) -> list[float | None]:
    (found,) = with_trunk([each], trunk)
    assert replace(found, repetitions=each.repetitions) == each, "nothing else is touched"
    return [one.trunk_deg for one in found.repetitions]


@pytest.mark.parametrize("shape", [LEANS, TURNS])
@pytest.mark.parametrize("range_deg", [5.0, 15.0, 40.0, 80.0])
def test_the_angle_of_a_trunk_is_found(range_deg: float, shape: Shape) -> None:
    errors = []
    for seed in range(3):
        trunk = a_trunk(range_deg, shape, seed)
        found = measured(the_set(trunk), recorded(trunk))
        errors += [abs((deg or 0) - true) for deg, true in zip(found, trunk.range_deg, strict=True)]
    assert np.mean(errors) < 0.8
    assert np.max(errors) < 1


def test_a_trunk_that_stays_moves_by_less_than_a_degree() -> None:
    still = a_trunk(0.0, LEANS)
    moved = [deg for deg in measured(the_set(still), recorded(still)) if deg is not None]
    assert len(moved) == 8
    assert max(moved) < 1


def test_what_the_trunk_did_not_record_is_not_known() -> None:
    trunk = a_trunk(15.0, LEANS)
    each = the_set(trunk)
    assert measured(each) == [None] * 8
    later = START + timedelta(hours=1)
    assert measured(each, recorded(trunk, later)) == [None] * 8
    half = recorded(trunk)
    values_T6 = half.values_T6
    middle = len(values_T6) // 2
    first = replace(half, values_T6=values_T6[:middle])
    known = [deg is not None for deg in measured(each, first)]
    assert known == sorted(known, reverse=True)
    assert 0 < sum(known) < 8
    rest = recorded(replace(trunk, values_T6=values_T6[middle:]),
                    START + timedelta(seconds=middle / RATE_HZ))  # fmt: skip
    both = measured(each, first, rest)
    assert sum(deg is None for deg in both) <= 1, "only the one that is cut in two"
    assert [deg for deg in both if deg is not None] == pytest.approx([15.0] * 7, abs=2)
