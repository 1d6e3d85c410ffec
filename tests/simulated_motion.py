"""SIMULATED recordings of three exercises by several people, who differ a little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from features.exercise.frame import MIRROR
from features.exercise.motion import RATE_HZ, Motion
from features.exercise.simulated import Shape, simulated_set
from training.exercise.fit import LabelledSet

START = np.datetime64("2026-03-02T10:00:00", "ns")
SHAPES = {
    "raise": Shape(axis=(0.0, 1.0, 0.0), held=(-1.0, 0.0, 0.0)),
    "turn": Shape(axis=(0.0, 0.8, 0.6), held=(-0.3, 0.85, 0.43)),
    "swing": Shape(axis=(0.0, 0.0, 1.0), held=(-0.8, 0.6, 0.0)),
}
RANGES = {"raise": 120.0, "turn": 80.0, "swing": 40.0}


def movement(
    exercise: str, person: int, side: str = "right", count: int = 8
) -> NDArray[np.float32]:
    generator = np.random.default_rng(100 * person + len(exercise))
    made = simulated_set(
        count, generator, range_deg=RANGES[exercise] * generator.uniform(0.92, 1.08),
        seconds=generator.uniform(1.6, 2.6), shape=SHAPES[exercise],
    )  # fmt: skip
    turn = Rotation.from_rotvec(generator.normal(0, 0.05, 3))
    values_T6 = np.hstack([turn.apply(made.values_T6[:, :3]), turn.apply(made.values_T6[:, 3:])])
    return (values_T6 * (MIRROR if side == "left" else 1)).astype(np.float32)


def labelled(people: int) -> list[LabelledSet]:
    trim = slice(int(RATE_HZ), -int(RATE_HZ))
    return [
        LabelledSet(person=str(person), side=side, exercise=exercise,
                    values_T6=movement(exercise, person, side)[trim])
        for person in range(people)
        for exercise in SHAPES
        for side in (("left", "right")[person % 2],)
    ]  # fmt: skip


def day(person: int, side: str = "right", exercises: tuple[str, ...] = tuple(SHAPES)) -> Motion:
    parts = []
    for exercise in exercises:
        made = movement(exercise, person, side)
        noise = np.random.default_rng(person).normal(0, 0.005, (500, 6))
        parts += [np.repeat(made[:1], 500, axis=0) + noise, made]
    still = np.repeat(parts[-1][-1:], 500, axis=0)
    return Motion(start=START, values_T6=np.concatenate([*parts, still]).astype(np.float32))
