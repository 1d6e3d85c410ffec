"""Signals to minutes: the one table between recordings and daily biomarkers.

A minute of one device is a row. A quantity that was not measured in it is missing, never 0. Raw
acceleration also leaves its moments (number, sum, square, lowest, highest of each axis), from
which wear is judged exactly as it would be on the samples, without keeping the samples.

A minute may come in parts, from several pieces or files, which `minute_parts` joins.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.biomarkers.intensity import amplitude_deviation, enmo, magnitude
from features.biomarkers.minute_parts import (
    AXES,
    EPOCH_S,
    FILE,
    KEYS,
    PIECE,
    POSTURE_COUNT,
    POSTURES,
    QUANTITY,
    SITTING,
    STANDING,
)
from features.biomarkers.overlaps import FIRST, LAST, SAMPLES
from features.recording import Quantity, Signal

MINUTE_NS = 60_000_000_000
SECOND_NS = 1_000_000_000
DEVIATION_NS = 5 * SECOND_NS
"""Epochs of the mean amplitude deviation (Vaha-Ypya 2015); a minute holds twelve."""

JITTER_NS = 50_000_000
"""Raw samples are stamped in blocks, so that two pieces may seem to overlap by some ms (local)."""

USE_G = 0.03
"""Seconds with more mean acceleration above gravity than this are arm use. No threshold is
published for ENMO; 30 mg lies between stillness (noise below 13 mg, van Hees 2013) and the
sedentary limit at the wrist (45 mg, Hildebrand 2017). Both wrists have the same threshold."""

USE_COUNTS = 2.0
"""Counts a second from which an arm is in use (Uswatte 2000, Bailey 2015)."""


def minutes_of(signal: Signal, *, file: str = "", piece: int = 0) -> pd.DataFrame:
    """Reduce one signal, or a piece of one, to parts of minutes; empty for what has no minutes.

    Parameters
    ----------
    file, piece
        The signal's file, for messages, and its number in it: of two pieces of one file that
        cover the same time the later one counts, because the clock was set back between them.

    Returns
    -------
    `KEYS`, `PART` and the columns of that quantity, for `minute_parts.join_minutes`.
    """
    reduce = _REDUCERS.get(signal.quantity)
    if reduce is None or len(signal) == 0:
        return pd.DataFrame(columns=KEYS)
    time_N = signal.time_N.view(np.int64)
    order = (
        np.arange(len(signal))
        if (np.diff(time_N) >= 0).all()
        else np.argsort(time_N, kind="stable")
    )
    minute_N = time_N[order] // MINUTE_NS
    start_M = np.flatnonzero(np.diff(minute_N, prepend=minute_N[0] - 1))
    end_M = np.append(start_M[1:], len(order))
    table = reduce(signal, order, start_M)
    first_M, last_M = time_N[order[start_M]], time_N[order[end_M - 1]]
    if signal.epoch_s < 1:
        middle_M = first_M + (last_M - first_M) // 2
        first_M = np.minimum(first_M + JITTER_NS, middle_M)
        last_M = np.maximum(last_M - JITTER_NS, middle_M)
    keys = {
        **{name: getattr(signal, name) for name in KEYS[:-1]},
        "time": (minute_N[start_M] * MINUTE_NS).view("datetime64[ns]").astype("datetime64[us]"),
        QUANTITY: str(signal.quantity),
        EPOCH_S: signal.epoch_s,
        FILE: file,
        PIECE: piece,
        FIRST: first_M,
        LAST: last_M,
        SAMPLES: end_M - start_M,
    }
    return pd.concat([pd.DataFrame(keys, index=table.index), table], axis=1)


def _acceleration(
    signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]
) -> pd.DataFrame:
    """Moments of each axis, intensity, seconds of use, and turns of the wrist."""
    values_NC = signal.values_NC if signal.values_NC.shape[1] == 3 else signal.values_NC[:, :3]
    if order[0] != 0 or (len(order) > 1 and order[1] != 1):
        values_NC = values_NC[order]
    count_M = np.diff(np.append(start_M, len(values_NC)))
    columns: dict[str, NDArray[np.float64]] = {"n": count_M.astype(np.float64)}
    for c, axis in enumerate(AXES):
        axis_N = values_NC[:, c].astype(np.float64)
        columns[f"sum_{axis}"] = np.add.reduceat(axis_N, start_M)
        columns[f"low_{axis}"] = np.minimum.reduceat(axis_N, start_M)
        columns[f"high_{axis}"] = np.maximum.reduceat(axis_N, start_M)
        np.square(axis_N, out=axis_N)
        columns[f"square_{axis}"] = np.add.reduceat(axis_N, start_M)
    magnitude_N = magnitude(values_NC)
    above_N = enmo(magnitude_N)
    columns["enmo_sum"] = np.add.reduceat(above_N, start_M)
    epoch_N = signal.time_N.view(np.int64)[order] // DEVIATION_NS
    start_E = np.flatnonzero(np.diff(epoch_N, prepend=epoch_N[0] - 1))
    columns["mad_sum"] = np.add.reduceat(amplitude_deviation(magnitude_N, start_E), start_M)
    columns |= _by_second(signal, values_NC, above_N, order, start_M)
    return pd.DataFrame(columns)


def _by_second(
    signal: Signal,
    values_NC: NDArray[np.float32],
    above_N: NDArray[np.float64],
    order: NDArray[np.int64],
    start_M: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    second_N = signal.time_N.view(np.int64)[order] // SECOND_NS
    start_S = np.flatnonzero(np.diff(second_N, prepend=second_N[0] - 1))
    count_S = np.diff(np.append(start_S, len(second_N)))
    mean_S = np.add.reduceat(above_N, start_S) / count_S
    minute_S = np.searchsorted(start_M, start_S, side="right") - 1
    use_M = np.bincount(minute_S, weights=mean_S > USE_G, minlength=len(start_M))
    # Angle of the device's z axis by second; van Hees 2015 takes 5 s, which is less strict.
    mean_SC = np.stack(
        [np.add.reduceat(values_NC[:, c], start_S, dtype=np.float64) / count_S for c in range(3)],
        axis=1,
    )
    angle_S = np.degrees(np.arctan2(mean_SC[:, 2], np.hypot(mean_SC[:, 0], mean_SC[:, 1])))
    begin_M = np.searchsorted(start_S, start_M)
    return {
        "use_s": use_M.astype(np.float64),
        "angle_low": np.minimum.reduceat(angle_S, begin_M),
        "angle_high": np.maximum.reduceat(angle_S, begin_M),
    }


def _counts(signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]) -> pd.DataFrame:
    values_N = signal.values_NC[order, 0].astype(np.float64)
    epoch_s = signal.epoch_s
    used_N = np.where(values_N >= USE_COUNTS * epoch_s, epoch_s, 0.0)
    return pd.DataFrame(
        {
            "counts": np.add.reduceat(values_N, start_M),
            "use_of_counts_s": np.add.reduceat(used_N, start_M),
        }
    )


def _steps(signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]) -> pd.DataFrame:
    total_M, count_M = _sums(signal.values_NC[order, 0], start_M)
    return pd.DataFrame({"steps": np.where(count_M > 0, total_M, np.nan)})


def _heart_rate(
    signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]
) -> pd.DataFrame:
    total_M, count_M = _sums(signal.values_NC[order, 0], start_M)
    return pd.DataFrame({"heart_sum": total_M, "heart_n": count_M})


def _temperature(
    signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]
) -> pd.DataFrame:
    total_M, count_M = _sums(signal.values_NC[order, 0], start_M)
    return pd.DataFrame({"temperature_sum": total_M, "temperature_n": count_M})


def _moving(signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]) -> pd.DataFrame:
    """Sum and number of a device's own cadence or speed while moving (above 0)."""
    value_N = signal.values_NC[order, 0]
    total_M, count_M = _sums(np.where(value_N > 0, value_N, np.nan), start_M)
    name = str(signal.quantity)
    return pd.DataFrame({f"{name}_sum": total_M, f"{name}_n": count_M})


def _sums(
    value_N: NDArray[np.floating], start_M: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sum and number of the known values of each minute."""
    known_N = ~np.isnan(value_N)
    total_M = np.add.reduceat(np.where(known_N, value_N, 0.0).astype(np.float64), start_M)
    return total_M, np.add.reduceat(known_N.astype(np.float64), start_M)


def _posture(signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]) -> pd.DataFrame:
    """Shares of each minute, and rises in it: epochs that stand right after one that sat or lay."""
    share_NC = signal.values_NC[order].astype(np.float64)
    end_M = np.append(start_M[1:], len(order))
    columns = {
        f"{name}_sum": np.add.reduceat(share_NC[:, c], start_M) for c, name in enumerate(POSTURES)
    }
    columns[POSTURE_COUNT] = (end_M - start_M).astype(np.float64)
    nothing_M = np.full(len(start_M), np.nan)
    if np.isnan(share_NC[:, STANDING]).all():
        return pd.DataFrame(
            columns | dict.fromkeys(("rises", "first_state", "last_state"), nothing_M)
        )
    state_N = share_NC.argmax(axis=1)
    gap_N = np.diff(signal.time_N[order]) > np.timedelta64(int(1.5e9 * signal.epoch_s), "ns")
    rises_N = (state_N[1:] == STANDING) & (state_N[:-1] >= SITTING) & ~gap_N
    rises_N = np.concatenate([[False], rises_N])
    rises_N[start_M] = False  # Between two minutes they are counted once all parts are there.
    columns["rises"] = np.add.reduceat(rises_N.astype(np.float64), start_M)
    columns["first_state"] = state_N[start_M].astype(np.float64)
    columns["last_state"] = state_N[end_M - 1].astype(np.float64)
    return pd.DataFrame(columns)


def _worn(signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]) -> pd.DataFrame:
    return pd.DataFrame(
        {"worn": np.maximum.reduceat(signal.values_NC[order, 0].astype(np.float64), start_M)}
    )


_REDUCERS = {
    Quantity.ACCELERATION: _acceleration,
    Quantity.COUNTS: _counts,
    Quantity.STEPS: _steps,
    Quantity.HEART_RATE: _heart_rate,
    Quantity.TEMPERATURE: _temperature,
    Quantity.POSTURE: _posture,
    Quantity.WORN: _worn,
    Quantity.SPEED: _moving,
    Quantity.CADENCE: _moving,
}
