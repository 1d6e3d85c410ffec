"""Gait from raw acceleration at the lower back, by `scikit-digital-health` (extra `signals`).

Its lumbar pipeline finds bouts of walking, heel strikes and strides; this module only selects the
columns and sums them up by day. Speed needs the subject's height.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TIME
from contracts.errors import ContractError
from features.biomarkers.overlaps import FIRST, LAST, SAMPLES, counted
from features.recording import Quantity, Signal

LOWER_BACK = ("lower back", "lumbar", "sacrum")
FEWEST_STRIDES = 5
DAY_COLUMNS = [TIME, CODE, NUMBER, SAMPLES]
STEPS = "LOINC//41950-7"
CODES = {
    "cadence": "REHABCAST//CADENCE",
    "speed": "REHABCAST//GAIT_SPEED",
    "variability": "REHABCAST//STRIDE_TIME_VARIABILITY",
    "asymmetry": "REHABCAST//STEP_ASYMMETRY",
    "time": "REHABCAST//WALKING_TIME",
    "bouts": "REHABCAST//WALKING_BOUTS",
}


def is_lumbar(signal: Signal) -> bool:
    """Return whether gait can be computed: only from raw acceleration at the lower back."""
    return signal.quantity is Quantity.ACCELERATION and any(
        site in signal.placement for site in LOWER_BACK
    )


def daily_gait(strides: pd.DataFrame, minutes: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return a day's gait: steps, bouts, cadence, speed, stride time variability, asymmetry.

    Parameters
    ----------
    strides
        Rows of `strides_of`, of all pieces of a subject's recordings: a day may lie in several,
        and a bout of walking in two of them.
    minutes
        The subject's minutes: of two devices the one that recorded more of the day counts.

    Returns
    -------
    Rows of time (the day), code, value and minutes recorded, for each device; empty where nobody
    walked.
    """
    if strides.empty:
        return pd.DataFrame(columns=[*DAY_COLUMNS])
    once = _each_bout_once(strides)
    day = pd.to_datetime(once["time"], unit="s").dt.normalize()
    recorded = _recorded_minutes(minutes)
    rows = [
        (key[1], code, value, recorded.get(key, 0))
        for key, part in once.groupby(["device", day])
        for code, value in _day(part).items()
        if np.isfinite(value)
    ]
    return pd.DataFrame(rows, columns=DAY_COLUMNS)


def _each_bout_once(strides: pd.DataFrame) -> pd.DataFrame:
    """Leave out bouts that another piece of the recording covers with more strides."""
    bout = ["device", "piece", "time"]
    bouts = strides.groupby(bout, sort=True, dropna=False).agg(
        duration=("duration", "first"), samples=("time", "size"), total=("step_time", "sum")
    )
    bouts = bouts.reset_index()
    bouts[FIRST] = (bouts["time"] * 1e9).round().astype("int64")
    bouts[LAST] = bouts[FIRST] + (bouts["duration"].fillna(0.0) * 1e9).round().astype("int64")
    kept = bouts.loc[counted(bouts, ["device"], ["total"]), bout]
    return strides.merge(kept, on=bout, how="inner", sort=False)


def _recorded_minutes(minutes: pd.DataFrame | None) -> dict[Hashable, int]:
    if minutes is None or "n" not in minutes:
        return {}
    rows = minutes[minutes["n"].notna()]
    device = rows["placement"] + " " + rows["device"]
    return rows.groupby([device, rows["time"].dt.normalize()]).size().to_dict()


def daily_pace(minutes: pd.DataFrame) -> pd.DataFrame:
    """Return a day's means of each device's own cadence and speed while moving."""
    tables = [pd.DataFrame(columns=DAY_COLUMNS)]
    for name in ("cadence", "speed"):
        total, count = f"{name}_sum", f"{name}_n"
        if total in minutes:
            key = ["placement", "device", minutes["time"].dt.normalize().rename(TIME)]
            days = minutes.groupby(key, sort=True)[[total, count]].sum().reset_index()
            days = days[days[count] > 0].copy()
            value = days[total] / days[count]
            days[CODE], days[NUMBER], days[SAMPLES] = CODES[name], value, days[count]
            tables.append(days[DAY_COLUMNS])
    return pd.concat(tables) if len(tables) > 1 else tables[0]


def strides_of(signal: Signal, height_m: float | None = None, *, piece: str = "") -> pd.DataFrame:
    """Return the strides in a recording or a piece of one, with the start of their bout.

    Parameters
    ----------
    piece
        What distinguishes this piece from all others of the subject's recordings.

    Raises
    ------
    ContractError
        The extra `signals` is not installed.
    """
    try:
        from skdh.context import PredictGaitLumbarLgbm
        from skdh.gait import GaitLumbar
    except ImportError as error:
        raise ContractError(
            "gait from raw acceleration needs scikit-digital-health, which is not installed",
            "pip install 'rehabcast[signals]'",
        ) from error
    seconds_N: NDArray[np.float64] = signal.time_N.astype("datetime64[ns]").astype(np.int64) / 1e9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It warns of bouts that are too short to hold strides.
        samples = {
            "time": seconds_N,
            "accel": signal.values_NC.astype(np.float64),
            "fs": 1 / signal.epoch_s,
        }
        walked = PredictGaitLumbarLgbm().predict(**samples)
        bouts_B2 = np.stack(
            [walked["Gait Bout Start Index"], walked["Gait Bout Stop Index"]], axis=1
        )
        if not len(bouts_B2):
            return pd.DataFrame()
        gait: dict[str, Any] = GaitLumbar().predict(**samples, height=height_m, gait_bouts=bouts_B2)
    columns = {
        "time": gait.get("Bout Starts", []),
        "duration": gait.get("Bout Duration", []),
        "stride_time": gait.get("stride time", []),
        "step_time": gait.get("step time", []),
        "cadence": gait.get("cadence", []),
        "speed": gait.get("gait speed", []),
    }
    longest = max(len(values) for values in columns.values())
    return pd.DataFrame(
        {
            name: values if len(values) == longest else np.full(longest, np.nan)
            for name, values in columns.items()
        }
    ).assign(device=f"{signal.placement} {signal.device}", piece=piece)


def _day(strides: pd.DataFrame) -> dict[str, float]:
    bouts = strides.drop_duplicates("time")
    values = {
        STEPS: float(strides["step_time"].notna().sum()),
        CODES["bouts"]: float(len(bouts)),
        CODES["time"]: float(bouts["duration"].sum() / 60),
        CODES["cadence"]: float(strides["cadence"].mean()),
        CODES["speed"]: float(strides["speed"].mean()),
    }
    stride = strides["stride_time"].dropna()
    if len(stride) >= FEWEST_STRIDES:
        values[CODES["variability"]] = float(100 * stride.std() / stride.mean())
        values[CODES["asymmetry"]] = _asymmetry(strides)
    return values


def _asymmetry(strides: pd.DataFrame) -> float:
    """Return the difference of every other step time over their mean (Patterson 2010), in %."""
    odd: list[float] = []
    even: list[float] = []
    for _, bout in strides.groupby("time"):
        steps = bout["step_time"].dropna().to_numpy()
        odd.extend(steps[::2])
        even.extend(steps[1::2])
    if len(odd) < FEWEST_STRIDES or len(even) < FEWEST_STRIDES:
        return float("nan")
    one, other = float(np.mean(odd)), float(np.mean(even))
    return 200 * abs(one - other) / (one + other)
