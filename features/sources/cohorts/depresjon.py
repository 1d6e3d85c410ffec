"""Importer of Depresjon (Garcia-Ceja 2018, doi:10.1145/3204949.3208125): minute counts and MADRS.

`activity_1min.parquet` (number, timestamp, activity) and `scores.csv`. Recordings run on after the
`days` of measurement and are cut there. Times are naive local times: five controls cross the change
to daylight saving on 2003-03-30.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from features.biomarkers.device_clock import JumpKind, jumps
from features.biomarkers.reduction import CLOCK_CHANGE, reduce_reading
from features.measurements.records import records
from features.recording import ACTIWATCH, Collected, Quantity, Reading, Signal, SourceFile
from features.sources.cohorts.cohort_files import columns_of, read_csv, read_parquet

NAME = "depresjon"
"""As named on the command line."""

ACTIVITY, SCORES = "activity_1min.parquet", "scores.csv"
SEX = {1: "female", 2: "male"}
CONDITIONS = {"condition": "depression", "control": "control"}
MADRS = "REHABCAST//MADRS"


def matches(source: Path) -> bool:
    """Recognise the folder by the columns of its two files."""
    return {"number", "timestamp", "activity"} <= columns_of(source / ACTIVITY) and {
        "number",
        "days",
        "madrs1",
    } <= columns_of(source / SCORES)


def collect(source: Path) -> Collected:
    """Read counts, scores and people."""
    activity, scores = read_parquet(source / ACTIVITY), read_csv(source / SCORES)
    collected = Collected(read={ACTIVITY: NAME, SCORES: NAME})
    rows: list[tuple[Any, ...]] = []
    for row in scores.itertuples():
        person: Any = row
        subject = str(person.number)
        counts = activity[activity["number"] == subject].sort_values("timestamp", kind="stable")
        start = counts["timestamp"].iloc[0].normalize()
        end = start + pd.Timedelta(days=int(person.days))
        inside = counts[counts["timestamp"] < end]
        rows += _facts(subject, person, start, end - pd.Timedelta(days=1))
        signal = Signal(
            subject_label=subject,
            quantity=Quantity.COUNTS,
            time_N=inside["timestamp"].to_numpy(dtype="datetime64[ns]"),
            values_NC=inside[["activity"]].to_numpy(dtype="float32"),
            epoch_s=60.0,
            placement="wrist",
            device=ACTIWATCH,
            maker=ACTIWATCH,
            clock="naive local time of the study",
        )
        file = SourceFile(
            path=source / ACTIVITY, name=f"{ACTIVITY}:{subject}", subject_label=subject
        )
        reduce_reading(file, Reading(signals=(signal,)), collected, {})
        all_times = counts["timestamp"].to_numpy(dtype="datetime64[ns]")
        rows += [
            (subject, jump.at, CLOCK_CHANGE, None, None)
            for jump in jumps(all_times, signal.epoch_s)
            if jump.kind is JumpKind.DAYLIGHT_SAVING and jump.at >= end
        ]
    collected.records.append(records(rows))
    return collected


def _facts(
    subject: str, person: Any, start: pd.Timestamp, end: pd.Timestamp
) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = [
        (subject, None, "REHABCAST//SEX", None, SEX[int(person.gender)]),
        (subject, None, "REHABCAST//AGE_BAND", None, str(person.age)),
        (
            subject,
            None,
            "REHABCAST//CONDITION",
            None,
            CONDITIONS[subject.split("_")[0]],
        ),
    ]
    if str(person.edu).strip() not in {"", "nan"}:
        education = f"{str(person.edu).strip()} years"
        rows.append((subject, None, "REHABCAST//EDUCATION", None, education))
    for when, score in ((start, person.madrs1), (end, person.madrs2)):
        if not pd.isna(score):
            rows.append((subject, when, MADRS, float(score), None))
    return rows
