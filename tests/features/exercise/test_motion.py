from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts.errors import ContractError
from features.exercise.frame import HALF_TURN, MIRROR, as_right, upright
from features.exercise.motion import RATE_HZ, Motion, motions
from features.exercise.repetitions import repetitions
from features.exercise.sets import sets
from features.exercise.simulated import simulated_set
from features.recording import Quantity, Signal

START = np.datetime64("2026-03-02T10:00:00", "ns")
MADE = simulated_set(6, np.random.default_rng(0)).values_T6


def signals(
    values_N6: np.ndarray, rate: float, start: np.datetime64 = START
) -> tuple[Signal, Signal]:
    time_N = start + (np.arange(len(values_N6)) * 1e9 / rate).round().astype("timedelta64[ns]")
    acceleration = Signal(
        subject_label="s", quantity=Quantity.ACCELERATION, time_N=time_N,
        values_NC=values_N6[:, :3].astype(np.float32), epoch_s=1 / rate, placement="right wrist",
    )  # fmt: skip
    rotation = replace(
        acceleration, quantity=Quantity.ROTATION, values_NC=values_N6[:, 3:].astype(np.float32)
    )
    return acceleration, rotation


def counted(motion: Motion) -> int:
    ((first, last),) = sets(motion.values_T6)
    return len(repetitions(motion.values_T6[first:last]))


def at(rate: float, values_T6: np.ndarray = MADE) -> np.ndarray:
    count = int(len(values_T6) / RATE_HZ * rate)
    place = np.arange(count) / rate * RATE_HZ
    return np.stack([np.interp(place, np.arange(len(values_T6)), c) for c in values_T6.T], axis=1)


@pytest.mark.parametrize("rate", [25.0, 31.25, 50.0, 64.0, 100.0])
def test_any_rate_becomes_one(rate: float) -> None:
    (motion,) = motions([signals(at(rate), rate)])
    count = min(len(motion.values_T6), len(MADE))
    assert abs(len(motion.values_T6) - len(MADE)) <= 2
    assert np.abs(motion.values_T6[5 : count - 5] - MADE[5 : count - 5])[:, :3].mean() < 0.03
    assert counted(motion) == 6


def test_dropped_samples_are_bridged_and_a_hole_ends_a_piece() -> None:
    generator = np.random.default_rng(0)
    acceleration, rotation = signals(at(50.0), 50.0)
    kept = np.sort(generator.choice(len(acceleration), int(0.9 * len(acceleration)), replace=False))
    some = [replace(each, time_N=each.time_N[kept], values_NC=each.values_NC[kept])
            for each in (acceleration, rotation)]  # fmt: skip
    (motion,) = motions([(some[0], some[1])])
    assert counted(motion) == 6
    away = np.r_[0:300, 400 : len(acceleration)]
    some = [replace(each, time_N=each.time_N[away], values_NC=each.values_NC[away])
            for each in (acceleration, rotation)]  # fmt: skip
    first, second = motions([(some[0], some[1])])
    assert (second.start - START) / np.timedelta64(1, "s") == pytest.approx(8.0)
    assert first.seconds == pytest.approx(6.0)


def test_parts_that_follow_each_other_are_one_piece() -> None:
    values = at(50.0)
    parts = [
        signals(values[:200], 50.0),
        signals(values[200:], 50.0, START + np.timedelta64(4, "s")),
    ]
    (motion,) = motions(parts)
    assert motion.seconds == pytest.approx(len(values) / 50, abs=0.1)


def wrong_clock() -> tuple[Signal, Signal]:
    acceleration, rotation = signals(at(50.0), 50.0)
    time_N = acceleration.time_N.copy()
    time_N[200:] -= np.timedelta64(90, "s")
    return replace(acceleration, time_N=time_N), replace(rotation, time_N=time_N)


def wrong_rate() -> tuple[Signal, Signal]:
    acceleration, rotation = signals(at(50.0), 50.0)
    return replace(acceleration, epoch_s=0.01), replace(rotation, epoch_s=0.01)


def not_together() -> tuple[Signal, Signal]:
    acceleration, rotation = signals(at(50.0), 50.0)
    return acceleration, replace(rotation, time_N=rotation.time_N + np.timedelta64(5, "ms"))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([wrong_clock()], "its clock goes back from 2026-03-02T10:00:03 to 2026-03-02T09:58:34"),
        ([signals(at(50.0), 50.0), signals(at(50.0), 50.0)], "its clock goes back"),
        ([wrong_rate()], "its times are 50 a second, and 100 were declared"),
        ([signals(at(10.0), 10.0)], "it has 10 samples a second, too few"),
        ([not_together()], "are not sampled together"),
        ([], "there is no acceleration in it"),
        ([signals(at(50.0), 50.0)[::-1]], "three axes of acceleration are needed"),
    ],
)
def test_what_cannot_be_a_recording_is_refused_in_a_sentence(
    parts: list[tuple[Signal, Signal]], said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        motions(parts)


def test_a_left_wrist_is_the_mirror_of_a_right_one_and_a_watch_turned_round_is_the_same() -> None:
    assert np.array_equal(as_right(MADE * MIRROR, "left"), as_right(MADE, "right"))
    assert np.array_equal(upright(MADE * HALF_TURN), upright(MADE))
    # A mirror turns no rotation: three axes mirrored twice are themselves, and handedness differs.
    assert np.prod(MIRROR[:3]) == -1
    assert np.prod(HALF_TURN[:3]) == 1
    assert np.array_equal(MIRROR[3:], -MIRROR[:3])
    assert np.array_equal(HALF_TURN[3:], HALF_TURN[:3])
