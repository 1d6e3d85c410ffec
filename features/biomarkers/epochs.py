"""Signals to minutes: the one table between recordings and daily biomarkers.

A minute of one device is a row. A quantity that was not measured in it is missing, never 0. Raw
acceleration also leaves its moments (number, sum, square, lowest, highest of each axis), from
which wear is judged exactly as it would be on the samples, without keeping the samples.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.biomarkers.intensity import amplitude_deviation, enmo, magnitude
from features.recording import Quantity, Signal

MINUTE_NS = 60_000_000_000
SECOND_NS = 1_000_000_000
DEVIATION_NS = 5 * SECOND_NS
"""Epochs of the mean amplitude deviation (Vaha-Ypya 2015); a minute holds twelve."""

KEYS = ["subject_label", "placement", "device", "maker", "time"]
AXES = ("x", "y", "z")

USE_G = 0.03
"""Seconds with more mean acceleration above gravity than this are arm use. No threshold is
published for ENMO; 30 mg lies between stillness (noise below 13 mg, van Hees 2013) and the
sedentary limit at the wrist (45 mg, Hildebrand 2017). Both wrists have the same threshold."""

USE_COUNTS = 2.0
"""Counts a second from which an arm is in use (Uswatte 2000, Bailey 2015)."""

PLAUSIBLE_HEART_RATE = (25.0, 220.0)


def minutes_of(signal: Signal) -> pd.DataFrame:
    """Reduce one signal, or a piece of one, to rows by minute; empty for what has no minutes.

    Returns
    -------
    `KEYS` and the columns of that quantity; `join_minutes` joins rows of one minute that come from
    two pieces.
    """
    reduce = {
        Quantity.ACCELERATION: _acceleration,
        Quantity.COUNTS: _counts,
        Quantity.STEPS: _steps,
        Quantity.HEART_RATE: _heart_rate,
        Quantity.TEMPERATURE: _temperature,
        Quantity.POSTURE: _posture,
        Quantity.WORN: _worn,
    }.get(signal.quantity)
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
    table = reduce(signal, order, start_M)
    table.insert(
        0, "time", (minute_N[start_M] * MINUTE_NS).view("datetime64[ns]").astype("datetime64[us]")
    )
    for name in ("maker", "device", "placement", "subject_label"):
        table.insert(0, name, getattr(signal, name))
    return table


def join_minutes(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join the minutes of a device's quantities and pieces into one row a minute."""
    tables = [part for part in parts if len(part)]
    if not tables:
        return pd.DataFrame(columns=KEYS)
    groups = pd.concat(tables, ignore_index=True).groupby(KEYS, sort=True)
    names = {name for table in tables for name in table.columns} - set(KEYS)
    parts = []
    for method in ("sum", "min", "max", "mean"):
        columns = sorted(name for name in names if _JOIN[name] == method)
        if columns:
            chosen = groups[columns]
            # A quantity that no piece measured stays missing: the sum of nothing is not 0.
            parts.append(chosen.sum(min_count=1) if method == "sum" else chosen.agg(method))
    return pd.concat(parts, axis=1).reset_index()


_JOIN: dict[str, str] = {
    "n": "sum",
    **dict.fromkeys((f"{part}_{axis}" for part in ("sum", "square") for axis in AXES), "sum"),
    **{f"low_{axis}": "min" for axis in AXES},
    **{f"high_{axis}": "max" for axis in AXES},
    "enmo_sum": "sum",
    "mad_sum": "sum",
    "use_s": "sum",
    "counts": "sum",
    "steps": "sum",
    "heart_rate": "mean",
    "temperature": "mean",
    "rises": "sum",
    "off": "mean",
    "standing": "mean",
    "sitting": "mean",
    "lying": "mean",
    "turn_deg": "max",
    "worn": "max",
}


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
    turn_M = np.maximum.reduceat(angle_S, begin_M) - np.minimum.reduceat(angle_S, begin_M)
    return {"use_s": use_M.astype(np.float64), "turn_deg": turn_M}


def _counts(signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]) -> pd.DataFrame:
    values_N = signal.values_NC[order, 0].astype(np.float64)
    epoch_s = signal.epoch_s
    used_N = np.where(values_N >= USE_COUNTS * epoch_s, epoch_s, 0.0)
    return pd.DataFrame(
        {
            # Of an epoch longer than a minute the rate is kept: counts per minute.
            "counts": np.add.reduceat(values_N, start_M) * min(1.0, 60.0 / epoch_s),
            "use_s": np.minimum(np.add.reduceat(used_N, start_M), 60.0),
        }
    )


def _steps(signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]) -> pd.DataFrame:
    steps_N = np.nan_to_num(signal.values_NC[order, 0].astype(np.float64))
    return pd.DataFrame({"steps": np.add.reduceat(steps_N, start_M)})


def _heart_rate(
    signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]
) -> pd.DataFrame:
    rate_N = signal.values_NC[order, 0].astype(np.float64)
    low, high = PLAUSIBLE_HEART_RATE
    good_N = (rate_N >= low) & (rate_N <= high)
    total_M = np.add.reduceat(np.where(good_N, rate_N, 0.0), start_M)
    count_M = np.add.reduceat(good_N.astype(np.float64), start_M)
    mean_M = np.divide(total_M, count_M, out=np.full_like(total_M, np.nan), where=count_M > 0)
    return pd.DataFrame({"heart_rate": mean_M})


def _temperature(
    signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]
) -> pd.DataFrame:
    count_M = np.diff(np.append(start_M, len(order)))
    total_M = np.add.reduceat(signal.values_NC[order, 0].astype(np.float64), start_M)
    return pd.DataFrame({"temperature": total_M / count_M})


def _posture(signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]) -> pd.DataFrame:
    """Shares of each minute, and rises: epochs that stand right after one that sat or lay."""
    share_NC = signal.values_NC[order].astype(np.float64)
    count_M = np.diff(np.append(start_M, len(order)))
    columns = {
        name: np.add.reduceat(share_NC[:, c], start_M) / count_M
        for c, name in enumerate(("off", "standing", "sitting", "lying"))
    }
    if np.isnan(share_NC[:, 1]).all():
        return pd.DataFrame(columns | {"rises": np.full(len(start_M), np.nan)})
    state_N = share_NC.argmax(axis=1)
    gap_N = np.diff(signal.time_N[order]) > np.timedelta64(int(1.5e9 * signal.epoch_s), "ns")
    rises_N = (state_N[1:] == 1) & (state_N[:-1] >= 2) & ~gap_N
    rises_N = np.concatenate([[False], rises_N])
    columns["rises"] = np.add.reduceat(rises_N.astype(np.float64), start_M)
    return pd.DataFrame(columns)


def _worn(signal: Signal, order: NDArray[np.int64], start_M: NDArray[np.int64]) -> pd.DataFrame:
    return pd.DataFrame(
        {"worn": np.maximum.reduceat(signal.values_NC[order, 0].astype(np.float64), start_M)}
    )
