"""SPAR: recordings of shoulder exercises at the wrist, and what is made of them to judge counts.

Every recording is one set of nominally 20 repetitions. A count of whole sets proves nothing, since
20 is always nearly right: pieces of known number are cut out and joined. How far a set has come is
read from the phase of its main movement in a narrow band, which no counter here uses, and the whole
of it is taken as 20.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import butter, hilbert, sosfiltfilt

from features.exercise.motion import RATE_HZ, motions
from features.exercise.rhythm import movement, period
from features.recording import Quantity, Signal
from support.repository import REAL_DATA
from training.exercise.fit import LabelledSet

SPAR = REAL_DATA / "spar_shoulder"
RECORDED_HZ, NOMINAL = 50.0, 20
START = np.datetime64("2026-03-02T10:00:00", "ns")
Array = NDArray[np.float32]


def shoulder_sets() -> list[LabelledSet]:
    """Return the recordings, at the rate of the recogniser."""
    samples = pd.read_parquet(SPAR / "signals.parquet")
    described = pd.read_csv(SPAR / "recordings.csv").set_index("recording")
    made = []
    for number, table in samples.groupby("recording"):
        of = described.loc[number]
        values_N6 = table.iloc[:, 1:].to_numpy(dtype=np.float64, copy=True)
        values_N6[:, 3:] = np.degrees(values_N6[:, 3:])
        made.append(
            LabelledSet(
                person=str(of["subject"]), side=str(of["side"]), exercise=str(of["exercise"]),
                values_T6=at_once(values_N6, RECORDED_HZ),
            )
        )  # fmt: skip
    return made


def signals(
    values_N6: NDArray[np.floating], rate: float, kept: NDArray[np.int64] | None = None,
    start: np.datetime64 = START,
) -> tuple[Signal, Signal]:  # fmt: skip
    """Return acceleration and rotation as a device would give them; only some samples, if said."""
    time_N = start + (np.arange(len(values_N6)) * 1e9 / rate).round().astype("timedelta64[ns]")
    kept = np.arange(len(values_N6)) if kept is None else kept
    acceleration, rotation = (
        Signal(
            subject_label="SPAR", quantity=quantity, time_N=time_N[kept],
            values_NC=values_N6[kept, columns].astype(np.float32), epoch_s=1 / rate,
        )
        for quantity, columns in (
            (Quantity.ACCELERATION, slice(0, 3)), (Quantity.ROTATION, slice(3, 6)),
        )
    )  # fmt: skip
    return acceleration, rotation


def at_once(
    values_N6: NDArray[np.floating], rate: float, kept: NDArray[np.int64] | None = None
) -> Array:
    """Return a short recording as one piece."""
    (motion,) = motions([signals(values_N6, rate, kept)])
    return motion.values_T6


def at_rate(values_T6: Array, rate: float) -> Array:
    """Return a recording as made at another rate."""
    count = int(len(values_T6) / RATE_HZ * rate)
    place = np.arange(count) / rate * RATE_HZ
    known = np.arange(len(values_T6))
    return at_once(np.stack([np.interp(place, known, c) for c in values_T6.T], axis=1), rate)


def progress(values_T6: Array) -> tuple[NDArray[np.float64], float]:
    """Return how many of the 20 repetitions are done at each sample, and how many turns these were.

    Where the whole is not near 20 turns, nobody knows which is right: who counted, or the phase.
    """
    moved_TC = movement(values_T6)
    hertz = RATE_HZ / (period(moved_TC) or int(2 * RATE_HZ))
    band = butter(2, [0.5 * hertz, 1.6 * hertz], btype="band", fs=RATE_HZ, output="sos")
    long = int(2 * RATE_HZ / hertz)
    padded_TC = np.pad(moved_TC, ((long, long), (0, 0)), mode="reflect", reflect_type="odd")
    narrow_TC = sosfiltfilt(band, padded_TC, axis=0)
    _, axes = np.linalg.eigh(narrow_TC.T @ narrow_TC)
    phase_T = np.unwrap(np.angle(hilbert(narrow_TC @ axes[:, -1])))[long:-long]
    done_T = np.maximum.accumulate(phase_T - phase_T[0])
    return done_T / done_T[-1] * NOMINAL, float(done_T[-1] / (2 * np.pi))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a set, or parts of it joined, of known number.

    Parameters
    ----------
    certain
        Whether the phase of the whole set says 20 too, within half a repetition.
    """

    kind: str
    values_T6: Array
    count: int
    certain: bool


def pieces(values_T6: Array, generator: np.random.Generator) -> Iterator[Piece]:
    """Yield two cuts and two joins of a set, beginning anywhere in a repetition."""
    done_T, turns = progress(values_T6)
    certain = abs(turns - NOMINAL) < 0.5
    for _ in range(2):
        begun = float(generator.uniform(0, 1))
        count = int(generator.integers(3, 16))
        first = int(generator.integers(0, NOMINAL - count - 1 + 1))
        yield Piece(
            kind="cut", count=count, certain=certain,
            values_T6=_between(values_T6, done_T, first + begun, first + begun + count),
        )  # fmt: skip
        halves = generator.integers(2, 9, 2)
        starts = [int(generator.integers(0, NOMINAL - half)) for half in halves]
        parts = [
            _between(values_T6, done_T, start + begun, start + begun + half)
            for start, half in zip(starts, halves, strict=True)
        ]
        yield Piece(
            kind="join", count=int(halves.sum()), certain=certain, values_T6=np.concatenate(parts)
        )


def _between(values_T6: Array, done_T: NDArray[np.float64], low: float, high: float) -> Array:
    first, last = np.searchsorted(done_T, [low, min(high, NOMINAL)])
    return values_T6[first:last]


def plain_count(values_T6: Array) -> int:
    """Count as the baseline does: by the highest peak of the autocorrelation of acceleration."""
    off_T3 = values_T6[:, :3] - values_T6[:, :3].mean(axis=0)
    _, axes = np.linalg.eigh(off_T3.T @ off_T3)
    along_T = off_T3 @ axes[:, -1]
    like_L = np.correlate(along_T, along_T, "full")[len(along_T) - 1 :]
    shortest = int(0.8 * RATE_HZ)
    lag = shortest + int(like_L[shortest : max(len(like_L) * 6 // 10, shortest + 1)].argmax())
    return round(len(along_T) / lag)
