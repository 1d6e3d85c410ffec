"""How each repetition was done: range, time, tempo, smoothness.

Smoothness is of the speed of rotation: spectral arc length (SPARC; Balasubramanian 2015, On the
analysis of movement smoothness, J Neuroeng Rehabil 12, 112, with its fixed 10 Hz and threshold of
.05) and log dimensionless jerk of the same paper (LDLJ-V).

Letters: T samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.exercise import Repetition
from contracts.exercise.sets import MOST_DEG
from features.exercise.motion import RATE_HZ, has_rotation
from features.exercise.repetitions import Span

Array = NDArray[np.float64]

HIGHEST_HZ, LEAST_SHARE, FINER = 10.0, 0.05, 4
MOVING, SLOW_ENDS, PAUSE = 0.05, 0.03, 0.15
"""Share of its speed below which a limb rests, how long it is slower than that at the ends of a
movement of least jerk, and how much rest is a pause: shares of a repetition."""

SHORTEST = 8
"""Samples below which nothing is said of smoothness."""


def measured(values_T6: NDArray[np.float32], spans: list[Span]) -> tuple[Repetition, ...]:
    """Return the measures of each repetition of a set.

    A range beyond what a limb can do is none: it is not known.
    """
    is_rotation_known = has_rotation(values_T6)
    values = values_T6.astype(np.float64)
    return tuple(
        _with_rotation(values[first:last, 3:], first, last)
        if is_rotation_known
        else _without(values[first:last, :3], first, last)
        for first, last in spans
    )


def _with_rotation(rotation_T3: Array, first: int, last: int) -> Repetition:
    begin, end = _moving(np.linalg.norm(rotation_T3, axis=1))
    rotation_T3, first, last = rotation_T3[begin:end], first + begin, first + end
    angle_T = angle(rotation_T3)
    speed_T = np.linalg.norm(rotation_T3, axis=1)
    range_deg = float(np.ptp(angle_T))
    return _repetition(
        first, last,
        range_deg=range_deg if range_deg <= MOST_DEG else None,
        tempo=_up_share(angle_T),
        sparc=spectral_arc_length(speed_T),
        jerk=log_dimensionless_jerk(speed_T),
    )  # fmt: skip


def _moving(speed_T: Array) -> Span:
    """Return where a limb moves in a repetition that begins or ends with a pause."""
    moves_T = np.flatnonzero(speed_T > MOVING * np.percentile(speed_T, 95))
    if not len(moves_T):
        return 0, len(speed_T)
    begin, end = int(moves_T[0]), int(moves_T[-1]) + 1
    if len(speed_T) - (end - begin) <= PAUSE * len(speed_T):
        return 0, len(speed_T)
    # A movement of least jerk is slower than that for so long at its ends.
    slow = round(SLOW_ENDS * (end - begin))
    return max(begin - slow, 0), min(end + slow, len(speed_T))


def _without(acceleration_T3: Array, first: int, last: int) -> Repetition:
    off_T3 = acceleration_T3 - acceleration_T3.mean(axis=0)
    _, axes = np.linalg.eigh(off_T3.T @ off_T3)
    return _repetition(
        first, last, range_deg=None, tempo=_up_share(off_T3 @ axes[:, -1]), sparc=None, jerk=None
    )


def _repetition(
    first: int,
    last: int,
    *,
    range_deg: float | None,
    tempo: float,
    sparc: float | None,
    jerk: float | None,
) -> Repetition:
    return Repetition(
        start_s=first / RATE_HZ, end_s=last / RATE_HZ, range_deg=range_deg,
        duration_s=(last - first) / RATE_HZ, tempo=tempo, smoothness_sparc=sparc,
        smoothness_ldlj=jerk,
    )  # fmt: skip


def angle(rotation_T3: Array) -> Array:
    """Return the angle about the main axis of a repetition that ends where it began, deg.

    What is left at its end is the gyroscope's bias, and is spread over it.
    """
    _, axes = np.linalg.eigh(rotation_T3.T @ rotation_T3)
    about_T = rotation_T3 @ axes[:, -1]
    steps_T = np.concatenate([[0.0], (about_T[1:] + about_T[:-1]) / 2 / RATE_HZ])
    angle_T = np.cumsum(steps_T)
    return np.asarray(angle_T - np.linspace(0.0, angle_T[-1], len(angle_T)))


def _up_share(path_T: Array) -> float:
    """Return when the limb is farthest from where it began, as a share of the repetition."""
    farthest = int(np.abs(path_T - path_T[0]).argmax())
    return farthest / max(len(path_T) - 1, 1)


def spectral_arc_length(speed_T: Array, rate_hz: float = RATE_HZ) -> float | None:
    """Return the arc length of the speed's spectrum, negative: nearer to 0 is smoother."""
    if len(speed_T) < SHORTEST or not speed_T.any():
        return None
    count = 2 ** (int(np.ceil(np.log2(len(speed_T)))) + FINER)
    share = np.abs(np.fft.rfft(speed_T, count))
    hertz = np.fft.rfftfreq(count, 1 / rate_hz)
    share = share[hertz <= HIGHEST_HZ] / share.max()
    hertz = hertz[hertz <= HIGHEST_HZ]
    kept = slice(0, int(np.flatnonzero(share >= LEAST_SHARE)[-1]) + 1)
    hertz, share = hertz[kept], share[kept]
    if len(hertz) < 2:
        return None
    steps = np.hypot(np.diff(hertz) / (hertz[-1] - hertz[0]), np.diff(share))
    return -float(steps.sum())


def log_dimensionless_jerk(speed_T: Array, rate_hz: float = RATE_HZ) -> float | None:
    """Return the log of a speed's squared jerk, without unit: nearer to 0 is smoother."""
    if len(speed_T) < SHORTEST or not speed_T.any():
        return None
    jerk_T = np.diff(speed_T, 2) * rate_hz**2
    seconds = (len(speed_T) - 1) / rate_hz
    whole = float((jerk_T**2).sum() / rate_hz * seconds**3 / speed_T.max() ** 2)
    return min(-float(np.log(whole)), 0.0) if whole > 0 else None
