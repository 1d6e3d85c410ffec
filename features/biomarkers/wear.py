"""Wear time, minute by minute, by the best evidence that a device has.

In this order: what the device or its study reports; stillness of raw acceleration (van Hees 2013),
overruled by skin warmth where the device has a thermometer; runs of zero counts (Choi 2011). A rule
on movement alone mistakes a patient who can't move for a device that isn't worn, so the rule is
returned too, and wear has to be audited by ability.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.biomarkers.minute_parts import AXES

STILL_SD_G, STILL_RANGE_G = 0.013, 0.050
WINDOW_MIN, STEP_MIN = 60, 15
"""van Hees 2013 (doi:10.1371/journal.pone.0061691): two axes of three below both limits."""

WARM_CEL = 26.0
"""From here on a device lies on skin (Zhou 2015, doi:10.1136/bmjopen-2014-007447)."""

ZERO_RUN_MIN, SPIKE_MIN, QUIET_MIN = 90, 2, 30
"""Choi 2011 (doi:10.1249/MSS.0b013e3181ed61a3): 90 minutes of zeros, with spikes of up to 2 minutes
that have 30 minutes of zeros on both sides."""


def worn(minutes: pd.DataFrame) -> tuple[NDArray[np.bool_] | None, str]:
    """Return which minutes of one device were worn, and by which rule.

    Parameters
    ----------
    minutes
        Rows of one device by ascending time, as `epochs.join_minutes` returns them. Missing minutes
        are not worn, and not judged.

    Returns
    -------
    One flag a row, None where the device leaves nothing to judge by, and the rule's name.
    """
    has = {
        name: name in minutes and bool(minutes[name].notna().any())
        for name in ("worn", "n", "counts")
    }
    if has["worn"]:
        return minutes["worn"].fillna(0).to_numpy() > 0, "as the source says"
    if has["n"]:
        return _by_stillness(minutes)
    if has["counts"]:
        grid = _grid(minutes)
        return ~zero_runs(_placed(minutes, "counts", grid))[grid], "zero counts (Choi 2011)"
    return None, "not judged: neither movement nor wear was recorded"


def _by_stillness(minutes: pd.DataFrame) -> tuple[NDArray[np.bool_], str]:
    grid = _grid(minutes)
    moments = {name: _placed(minutes, name, grid) for name in _moment_names()}
    still_G = still_windows(moments)
    rule = "stillness (van Hees 2013)"
    if "temperature" in minutes and minutes["temperature"].notna().any():
        warmth = pd.Series(_placed(minutes, "temperature", grid)).ffill(limit=15).to_numpy()
        still_G &= ~(warmth >= WARM_CEL)
        rule += ", overruled by warmth (Zhou 2015)"
    return ~still_G[grid], rule


def still_windows(moments: dict[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Flag minutes inside any hour that is still on two axes of three.

    Parameters
    ----------
    moments
        `n`, and `sum_x`, `square_x`, `low_x`, `high_x` for each axis, one value a minute on a grid
        without gaps, NaN where nothing was recorded.
    """
    count = len(moments["n"])
    still_G = np.zeros(count, dtype=np.bool_)
    for start in range(0, max(count - WINDOW_MIN, 0) + 1, STEP_MIN):
        window = slice(start, min(start + WINDOW_MIN, count))
        n = np.nansum(moments["n"][window])
        if n == 0:
            continue
        axes = 0
        for axis in AXES:
            mean = np.nansum(moments[f"sum_{axis}"][window]) / n
            variance = np.nansum(moments[f"square_{axis}"][window]) / n - mean * mean
            span = np.nanmax(moments[f"high_{axis}"][window]) - np.nanmin(
                moments[f"low_{axis}"][window]
            )
            axes += bool(variance < STILL_SD_G**2 and span < STILL_RANGE_G)
        if axes >= 2:
            still_G[window] = True
    # A recording shorter than a window is judged as one window.
    return still_G


def zero_runs(counts_G: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Flag minutes of Choi's non-wear runs; a minute that is NaN (not recorded) breaks a run."""
    zero_G = counts_G == 0
    bridged_G = zero_G.copy()
    edge = np.flatnonzero(np.diff(np.concatenate([[False], ~zero_G, [False]]).astype(np.int8)))
    for start, end in zip(edge[::2], edge[1::2], strict=True):
        quiet_before = zero_G[max(start - QUIET_MIN, 0) : start]
        quiet_after = zero_G[end : end + QUIET_MIN]
        both = len(quiet_before) == QUIET_MIN and len(quiet_after) == QUIET_MIN
        known = not np.isnan(counts_G[start:end]).any()
        if known and end - start <= SPIKE_MIN and both and quiet_before.all() and quiet_after.all():
            bridged_G[start:end] = True
    flags_G = np.zeros(len(counts_G), dtype=np.bool_)
    edge = np.flatnonzero(np.diff(np.concatenate([[False], bridged_G, [False]]).astype(np.int8)))
    for start, end in zip(edge[::2], edge[1::2], strict=True):
        if end - start >= ZERO_RUN_MIN:
            flags_G[start:end] = True
    return flags_G


def _moment_names() -> list[str]:
    return ["n", *(f"{part}_{axis}" for part in ("sum", "square", "low", "high") for axis in AXES)]


def _grid(minutes: pd.DataFrame) -> NDArray[np.int64]:
    """Return each row's index on a grid of minutes from the first to the last."""
    minute = minutes["time"].to_numpy().astype("datetime64[m]").astype(np.int64)
    return np.asarray(minute - minute[0], dtype=np.int64)


def _placed(minutes: pd.DataFrame, name: str, grid: NDArray[np.int64]) -> NDArray[np.float64]:
    values = np.full(int(grid[-1]) + 1, np.nan)
    values[grid] = minutes[name].to_numpy(dtype=np.float64)
    return values
