"""Joins the parts of each minute that several pieces and files of recordings hold.

Each part knows its first and last sample and how many it has, and holds only what can be added up
or compared. So those that count (`overlaps.counted`) give the very minute of the whole recording,
however it was split, copied or ordered.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import Problem
from features.biomarkers.overlaps import FIRST, LAST, SAMPLES, counted

KEYS = ["subject_label", "placement", "device", "maker", "time"]
QUANTITY, EPOCH_S, FILE, PIECE = "quantity", "epoch_s", "file", "piece"
PART = [QUANTITY, EPOCH_S, FILE, PIECE, FIRST, LAST, SAMPLES]
"""Columns of a part of a minute, beside `KEYS` and what was measured."""

AXES = ("x", "y", "z")
POSTURES = ("off", "standing", "sitting", "lying")
STANDING, SITTING = 1, 2
"""Places in `POSTURES`; one who stands right after a later place has risen."""

POSTURE_COUNT = "posture_n"
_MEANS = {
    "heart_rate": ("heart_sum", "heart_n"),
    "temperature": ("temperature_sum", "temperature_n"),
    **{name: (f"{name}_sum", POSTURE_COUNT) for name in POSTURES},
}
_INTERNAL = [
    *(name for pair in _MEANS.values() for name in pair),
    "angle_low", "angle_high", "use_of_counts_s", "first_state", "last_state",
]  # fmt: skip
_JOIN = {
    **{f"low_{axis}": "min" for axis in AXES},
    **{f"high_{axis}": "max" for axis in AXES},
    "angle_low": "min",
    "angle_high": "max",
    "worn": "max",
}
"""How parts of a minute are joined; what is not named is added up."""


def join_minutes(
    parts: Iterable[pd.DataFrame], problems: list[Problem] | None = None
) -> pd.DataFrame:
    """Join the minutes of each device's quantities, pieces and files into one row a minute.

    Parameters
    ----------
    parts
        Tables of `minutes_of`, in any order.
    problems
        Takes minutes of which two parts say something different.
    """
    tables = [part for part in parts if len(part)]
    if not tables:
        return pd.DataFrame(columns=KEYS)
    everything = pd.concat(tables, ignore_index=True)
    measured = sorted(set(everything.columns) - {*KEYS, *PART})
    group = [*KEYS, QUANTITY]
    kept = counted(everything, group, [PIECE, *measured])
    if problems is not None and not kept.all():
        problems += _contradictions(everything, kept, measured)
    counts = everything[kept]
    if "rises" in counts:
        counts = _with_rises_between(counts)
    groups = counts.groupby(KEYS, sort=True)
    joined = []
    for method in ("sum", "min", "max"):
        columns = [name for name in measured if _JOIN.get(name, "sum") == method]
        if columns:
            chosen = groups[columns]
            # A quantity that no piece measured stays missing: the sum of nothing is not 0.
            joined.append(chosen.sum(min_count=1) if method == "sum" else chosen.agg(method))
    return _finished(pd.concat(joined, axis=1)).reset_index()


def _contradictions(
    parts: pd.DataFrame, kept: NDArray[np.bool_], measured: list[str]
) -> list[Problem]:
    """Report parts that do not count though they have the bounds of one that says otherwise."""
    bounds = [*KEYS, QUANTITY, FIRST, LAST]
    twins = parts[~kept].merge(parts[kept], on=bounds, suffixes=("", " kept"))
    differs = np.zeros(len(twins), dtype=np.bool_)
    for name in (*measured, SAMPLES):
        one, other = twins[name].to_numpy(float), twins[f"{name} kept"].to_numpy(float)
        differs |= ~np.isclose(one, other, rtol=1e-4, atol=1e-4, equal_nan=True)
    return [
        Problem(
            file=str(file),
            row=None,
            field=str(quantity),
            found=f"{len(rows)} minute(s) occur twice with different values, in this file and in"
            f" {other}, the first at {rows['time'].min():%Y-%m-%d %H:%M}; those with more samples"
            " were kept, else the later ones",
            advice="check the clock of the device, or leave one of the files out",
            cause="minutes that occur twice",
        )
        for (file, other, quantity), rows in twins[differs].groupby(
            [FILE, f"{FILE} kept", QUANTITY], sort=True
        )
    ]


def _with_rises_between(parts: pd.DataFrame) -> pd.DataFrame:
    """Count rises from one minute, or part of one, to the next, whichever piece they are in."""
    ordered = parts[parts["rises"].notna()].sort_values([*KEYS[:-1], FIRST], kind="stable")
    before = ordered.groupby(KEYS[:-1], sort=False)[[LAST, "last_state"]].shift()
    near = ordered[FIRST] - before[LAST] <= 1.5e9 * ordered[EPOCH_S]
    rose = near & (before["last_state"] >= SITTING) & (ordered["first_state"] == STANDING)
    added = rose.astype(float).reindex(parts.index, fill_value=0.0)
    return parts.assign(rises=parts["rises"] + added)


def _finished(joined: pd.DataFrame) -> pd.DataFrame:
    """Turn sums into means, and two bounds into the range between them."""
    table = joined.copy()
    for name, (total, count) in _MEANS.items():
        if total in table:
            table[name] = table[total] / table[count].where(table[count] > 0)
    if "angle_low" in table:
        table["turn_deg"] = table["angle_high"] - table["angle_low"]
    if "use_of_counts_s" in table:
        used = table["use_of_counts_s"].clip(upper=60.0)
        # One device is in use once, though it gives acceleration and counts.
        table["use_s"] = table["use_s"].fillna(used) if "use_s" in table else used
    return table.drop(columns=_INTERNAL, errors="ignore")


def at_one_place(subject: str, minutes: pd.DataFrame) -> list[Problem]:
    """Return placements at which two devices recorded movement at the same time.

    One person has one left wrist: most often a map calls both wrists so.

    Parameters
    ----------
    minutes
        Rows of one subject, with `worn`.
    """
    movement = [name for name in ("n", "counts") if name in minutes]
    moving = minutes["worn"].fillna(True).astype(bool)
    moving &= minutes[movement].notna().any(axis=1) if movement else False
    rows = minutes[moving]
    twice = rows[rows.duplicated(["placement", "time"], keep=False)]
    return [
        Problem(
            file="*",
            row=None,
            field="placement",
            found=f"{subject!r} wore {' and '.join(sorted(map(str, own['device'].unique())))} at"
            f" the same place ({place}) at the same time, first at"
            f" {own['time'].min():%Y-%m-%d %H:%M}; one speaks for each minute",
            advice="check the placement of both, and declare in the map where each was worn",
            cause="two devices at one place at the same time",
        )
        for place, own in twice.groupby("placement", sort=True)
    ]


_TOGETHER = (
    ("n", "enmo_sum", "mad_sum"), ("counts",), ("steps",), ("heart_rate",), ("use_s",),
    ("standing", "sitting", "lying", "rises"), ("asleep",),
)  # fmt: skip
"""Columns of one quantity, once wear and sleep are judged."""


def one_device_a_place(minutes: pd.DataFrame) -> pd.DataFrame:
    """Let one of several devices that are worn at one placement in a minute speak for it.

    Two devices on one wrist don't sleep twice. For each quantity the device counts that measured it
    in more minutes of the day, as between placements; a device that is exchanged for another at
    noon shares no minute with it, and both count.

    Parameters
    ----------
    minutes
        Rows of one subject, with `worn` and `asleep`.
    """
    place = ["placement", "time"]
    rivals = minutes.duplicated(place, keep=False) & minutes["worn"].fillna(True).astype(bool)
    if not rivals.any():
        return minutes
    table = minutes.copy()
    if "asleep" in table:
        table["asleep"] = table["asleep"].astype("boolean")
    worn = minutes["worn"].fillna(True).astype(bool)
    day = minutes["time"].dt.normalize()
    for columns in _TOGETHER:
        present = [name for name in columns if name in minutes]
        measured = worn & minutes[present].notna().any(axis=1)
        covered = measured.groupby([minutes["placement"], minutes["device"], day]).transform("sum")
        ranked = minutes.loc[measured & rivals, [*place, "device"]].assign(covered=covered)
        ranked = ranked.sort_values(
            [*place, "covered", "device"], ascending=[True, True, False, True]
        )
        table.loc[ranked.index[ranked.duplicated(place)], present] = None
    return table
