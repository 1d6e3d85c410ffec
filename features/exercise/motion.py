"""Inertial signals of one limb at one rate: resampled, in pieces where the recording has holes.

Letters: N samples as recorded, T samples at `RATE_HZ`, 6 channels (acceleration in g, rotation in
deg/s).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from contracts.errors import ContractError
from features.recording import Quantity, Signal

RATE_HZ = 25.0
"""Of everything below: movements of rehabilitation are slower than 10 Hz (local)."""

SLOWEST_HZ, RATE_TOLERANCE = 20.0, 0.05
LONGEST_HOLE_S = 0.5
"""Shorter holes are bridged by a straight line, at longer ones a piece ends (local)."""

SECOND = np.timedelta64(1_000_000_000, "ns")
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A recording without holes.

    Parameters
    ----------
    start
        Local time of the first sample.
    values_T6
        Acceleration in g, then rotation in deg/s; the latter NaN where there was no gyroscope.
    """

    start: np.datetime64
    values_T6: Array

    @property
    def has_rotation(self) -> bool:
        """Whether there was a gyroscope."""
        return has_rotation(self.values_T6)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.values_T6) / RATE_HZ

    @property
    def end(self) -> np.datetime64:
        """Local time of its end."""
        return self.start + np.timedelta64(round(self.seconds * 1e9), "ns")


def has_rotation(values_T6: Array) -> bool:
    """Return whether there was a gyroscope; without one, rotation is NaN throughout."""
    return bool(np.isfinite(values_T6[:1, 3:]).all())


def motions(readings: Iterable[tuple[Signal, Signal | None]]) -> list[Motion]:
    """Return the pieces of a recording, from its signals in order, part by part.

    Parameters
    ----------
    readings
        Acceleration and, where there is a gyroscope, rotation of the same times.

    Raises
    ------
    ContractError
        The clock goes back, the rate is not as declared or too low, the two are not sampled
        together, or there is no sample.
    """
    pieces: list[Motion] = []
    for acceleration, rotation in readings:
        for piece in _pieces(acceleration, rotation):
            if pieces and _follows(pieces[-1], piece):
                pieces[-1] = _longer(pieces[-1], piece)
            else:
                pieces.append(piece)
    if not pieces:
        raise ContractError(
            "there is no acceleration in it", "record raw acceleration, and say so in the map"
        )
    return pieces


def _longer(before: Motion, piece: Motion) -> Motion:
    """Return two pieces as one, in the memory of the first: a day is held once."""
    values_T6, count = before.values_T6, len(before.values_T6)
    values_T6.resize((count + len(piece.values_T6), 6), refcheck=False)
    values_T6[count:] = piece.values_T6
    return Motion(start=before.start, values_T6=values_T6)


def _follows(before: Motion, piece: Motion) -> bool:
    hole = (piece.start - before.end) / SECOND
    if hole < -LONGEST_HOLE_S:
        raise _went_back(before.end, piece.start)
    return bool(hole <= LONGEST_HOLE_S) and before.has_rotation == piece.has_rotation


def _went_back(before: np.datetime64, after: np.datetime64) -> ContractError:
    return ContractError(
        f"its clock goes back from {_written(before)} to {_written(after)}: a set could be counted"
        " twice",
        "cut the recording there, and leave out what is there twice",
    )


def _written(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]"))


def _pieces(acceleration: Signal, rotation: Signal | None) -> Iterator[Motion]:
    if not len(acceleration):
        return
    _require(acceleration, Quantity.ACCELERATION)
    if rotation is not None:
        _require(rotation, Quantity.ROTATION)
    time_N = acceleration.time_N.astype("datetime64[ns]")
    rotation_N3 = _beside(acceleration, rotation)
    step_N = np.diff(time_N) / SECOND
    if len(step_N) and (worst := int(np.argmin(step_N))) >= 0 and step_N[worst] < -1e-6:
        raise _went_back(time_N[worst], time_N[worst + 1])
    rate = _rate(acceleration, step_N)
    values_N6 = np.hstack([acceleration.values_NC[:, :3], rotation_N3]).astype(np.float32)
    cuts = np.flatnonzero(step_N > LONGEST_HOLE_S) + 1
    for first, last in zip([0, *cuts], [*cuts, len(time_N)], strict=True):
        if last - first > rate:
            yield _resampled(time_N[first:last], values_N6[first:last], rate)


def _require(signal: Signal, quantity: Quantity) -> None:
    if signal.quantity is not quantity or signal.values_NC.shape[1] != 3:
        raise ContractError(
            f"three axes of {quantity} are needed, and it has {signal.quantity}",
            "declare the columns in [[signals]] of the map",
        )


def _beside(acceleration: Signal, rotation: Signal | None) -> NDArray[np.float32]:
    if rotation is None:
        return np.full((len(acceleration), 3), np.nan, dtype=np.float32)
    if len(rotation) != len(acceleration) or (rotation.time_N != acceleration.time_N).any():
        raise ContractError(
            "acceleration and rotation are not sampled together",
            "resample them to the same times first, or leave the rotation out",
        )
    return rotation.values_NC[:, :3]


def _rate(signal: Signal, step_N: NDArray[np.float64]) -> float:
    rate = 1 / signal.epoch_s
    if rate < SLOWEST_HZ:
        raise ContractError(
            f"it has {rate:g} samples a second, too few to tell how a limb moves",
            f"record at {RATE_HZ:g} Hz or more",
        )
    median = float(np.median(step_N)) if len(step_N) else signal.epoch_s
    if abs(median * rate - 1) > RATE_TOLERANCE:
        raise ContractError(
            f"its times are {1 / median:.4g} a second, and {rate:g} were declared",
            "correct rate_hz in [[signals]] of the map",
        )
    return rate


def _resampled(time_N: NDArray[np.datetime64], values_N6: Array, rate: float) -> Motion:
    """Return one piece on an even grid: holes bridged, then filtered and thinned."""
    place_N = (time_N - time_N[0]) / SECOND * rate
    count = round(float(place_N[-1])) + 1
    if count != len(place_N) or np.abs(place_N - np.arange(count)).max() > 0.5:
        even = np.arange(count)
        values_N6 = np.stack([np.interp(even, place_N, column) for column in values_N6.T], axis=1)
    ratio = Fraction(RATE_HZ / rate).limit_denominator(100)
    if ratio != 1:
        values_N6 = resample_poly(
            values_N6.astype(np.float32), ratio.numerator, ratio.denominator, axis=0, padtype="edge"
        )
    return Motion(start=time_N[0], values_T6=np.array(values_N6, dtype=np.float32, order="C"))
