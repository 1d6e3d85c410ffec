"""SIMULATED sets of known angles and tempo, by which what is measured of repetitions is judged.

A limb turns about one axis and back, up in one share of a repetition and down in the rest, each a
movement of least jerk (Flash and Hogan 1985). Gravity turns with it, and sensors add noise and
bias. Letters: T samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from features.exercise.motion import RATE_HZ

REST_S = 2.0
NOISE_G, NOISE_DEG_S, BIAS_DEG_S = 0.01, 0.5, 0.5
"""Of a watch (local; makers' sheets have less)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the limb moves.

    Parameters
    ----------
    axis
        Unit vector that it turns about, in the sensor's frame.
    held
        Direction of gravity's reaction in the sensor's frame where a repetition begins.
    """

    axis: tuple[float, float, float] = (0.0, 0.8, 0.6)
    held: tuple[float, float, float] = (-1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSet:
    """A set, and what is true of each of its repetitions."""

    values_T6: NDArray[np.float32]
    range_deg: NDArray[np.float64]
    seconds: NDArray[np.float64]
    up_share: NDArray[np.float64]


def simulated_set(
    count: int,
    generator: np.random.Generator,
    *,
    range_deg: float = 90.0,
    seconds: float = 2.0,
    up_share: float = 0.5,
    pause_s: float = 0.0,
    shape: Shape | None = None,
) -> SimulatedSet:
    """Return a set that begins and ends at rest; repetitions vary by some percent.

    Parameters
    ----------
    pause_s
        Rest after each repetition.
    """
    shape = shape or Shape()
    ranges = range_deg * generator.uniform(0.93, 1.07, count)
    times = seconds * generator.uniform(0.93, 1.07, count)
    rest = np.zeros(int(REST_S * RATE_HZ))
    parts, done = [rest], []
    for far, long in zip(ranges, times, strict=True):
        samples = round(long * RATE_HZ)
        rising = round(samples * up_share)
        parts += [
            far * _least_jerk(rising), far * (1 - _least_jerk(samples - rising)),
            np.zeros(round(pause_s * RATE_HZ)),
        ]  # fmt: skip
        done.append((samples / RATE_HZ, rising / samples))
    angle_T = np.concatenate([*parts, rest])
    turn = Rotation.from_rotvec(np.radians(angle_T)[:, None] * np.array(shape.axis))
    pull_T3 = turn.inv().apply(np.array(shape.held)) + generator.normal(
        0, NOISE_G, (len(angle_T), 3)
    )
    speed_T = np.gradient(angle_T) * RATE_HZ
    rotation_T3 = speed_T[:, None] * np.array(shape.axis) + generator.normal(
        0, NOISE_DEG_S, (len(angle_T), 3)
    ) + generator.normal(0, BIAS_DEG_S, 3)  # fmt: skip
    return SimulatedSet(
        values_T6=np.hstack([pull_T3, rotation_T3]).astype(np.float32),
        range_deg=ranges, seconds=np.array([long for long, _ in done]),
        up_share=np.array([share for _, share in done]),
    )  # fmt: skip


def _least_jerk(samples: int) -> NDArray[np.float64]:
    """Return the way from 0 to 1."""
    t = (np.arange(samples) + 0.5) / max(samples, 1)
    return np.asarray(10 * t**3 - 15 * t**4 + 6 * t**5)
