"""Importer of Depresjon (Garcia-Ceja 2018, doi:10.1145/3204949.3208125): minute counts and MADRS.

`activity_1min.parquet` (number, timestamp, activity) and `scores.csv`. Recordings run on after the
`days` of measurement and are cut there. Times are naive local times: five controls cross the change
to daylight saving on 2003-03-30.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from features.biomarkers.clock import jumps
from features.biomarkers.reduction import CLOCK_CHANGE, take_reading
from features.recording import Collected, Quantity, Reading, Signal, SourceFile, records
from features.sources.cohorts.cohort_files import columns_of, read_csv, read_parquet

ACTIVITY, SCORES = "activity_1min.parquet", "scores.csv"
SEX = {1: "female", 2: "male"}
CONDITIONS = {"condition": "depression", "control": "control"}
MADRS = "REHABCAST//MADRS"


def is_mine(source: Path) -> bool:
    """Tell the folder by the columns of its two files."""
    return {"number", "timestamp", "activity"} <= columns_of(source / ACTIVITY) and {
        "number",
        "days",
        "madrs1",
    } <= columns_of(source / SCORES)


def collect(source: Path) -> Collected:
    """Read counts, scores and people."""
    activity, scores = read_parquet(source / ACTIVITY), read_csv(source / SCORES)
    found = Collected(read={ACTIVITY: "depresjon", SCORES: "depresjon"})
    rows: list[tuple[Any, ...]] = []
    for row in scores.itertuples():
        person: Any = row
        who = str(person.number)
        mine = activity[activity["number"] == who].sort_values("timestamp", kind="stable")
        start = mine["timestamp"].iloc[0].normalize()
        end = start + pd.Timedelta(days=int(person.days))
        inside = mine[mine["timestamp"] < end]
        rows += _facts(who, person, start, end - pd.Timedelta(days=1))
        signal = Signal(
            who=who,
            quantity=Quantity.COUNTS,
            time_N=inside["timestamp"].to_numpy(dtype="datetime64[ns]"),
            values_NC=inside[["activity"]].to_numpy(dtype="float32"),
            epoch_s=60.0,
            placement="wrist",
            device="Actiwatch",
            clock="naive local time of the study",
        )
        file = SourceFile(path=source / ACTIVITY, name=f"{ACTIVITY}:{who}", who=who)
        take_reading(file, Reading(signals=(signal,)), found, {})
        whole = mine["timestamp"].to_numpy(dtype="datetime64[ns]")
        rows += [
            (who, jump.at, CLOCK_CHANGE, None, None)
            for jump in jumps(whole, signal.epoch_s)
            if jump.kind == "daylight saving" and jump.at >= end
        ]
    found.records.append(records(rows))
    return found


def _facts(who: str, person: Any, start: pd.Timestamp, end: pd.Timestamp) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = [
        (who, None, "REHABCAST//SEX", None, SEX[int(person.gender)]),
        (who, None, "REHABCAST//AGE_BAND", None, str(person.age)),
        (
            who,
            None,
            "REHABCAST//CONDITION",
            None,
            CONDITIONS[who.split("_")[0]],
        ),
    ]
    if str(person.edu).strip() not in {"", "nan"}:
        rows.append((who, None, "REHABCAST//EDUCATION", None, f"{str(person.edu).strip()} years"))
    for when, score in ((start, person.madrs1), (end, person.madrs2)):
        if not pd.isna(score):
            rows.append((who, when, MADRS, float(score), None))
    return rows
