"""Importer of Depresjon (Garcia-Ceja 2018, doi:10.1145/3204949.3208125): minute counts and MADRS.

`activity_1min.parquet` (number, timestamp, activity) and `scores.csv`. Recordings run on after the
`days` of measurement and are cut there. Times are naive local times: five controls cross the change
to daylight saving on 2003-03-30.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from contracts.errors import Problem
from features.biomarkers.device_clock import JumpKind, jumps
from features.biomarkers.reduction import CLOCK_CHANGE, reduce_reading
from features.measurements.records import records
from features.measurements.wall_clock import read_times
from features.recording import ACTIWATCH, Collected, Quantity, Reading, Signal, SourceFile
from features.sources.cohorts.cohort_files import columns_of, read_parquet, read_table
from features.tables.text_tables import read_numbers

NAME = "depresjon"
"""As named on the command line."""

ACTIVITY, SCORES = "activity_1min.parquet", "scores.csv"
SEX = {"1": "female", "2": "male"}
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
    collected = Collected(read={ACTIVITY: NAME, SCORES: NAME})
    activity = read_parquet(source / ACTIVITY)
    activity = activity.assign(timestamp=read_times(activity["timestamp"]).time_N)
    by_subject = dict(list(activity.groupby(activity["number"].astype(str), sort=False)))
    scores = read_table(source, SCORES, "number", collected)
    measured = read_numbers(scores.cells["days"]).value_N
    start_N, last_N = (np.full(len(scores.cells), "NaT", dtype="datetime64[ns]") for _ in range(2))
    for n, (row, subject) in enumerate(scores.subjects.items()):
        counts = by_subject.get(subject)
        if counts is None or not np.isfinite(measured[n]):
            collected.dropped.append(_without_counts(int(str(row)), subject))
            continue
        counts = counts.sort_values("timestamp", kind="stable")
        start = counts["timestamp"].iloc[0].normalize()
        end = start + pd.Timedelta(days=int(measured[n]))
        _add_counts(source, subject, counts, end, collected)
        start_N[n], last_N[n] = start, end - pd.Timedelta(days=1)
    condition = scores.cells["number"].str.split("_").str[0]
    education = scores.cells["edu"].where(scores.cells["edu"] == "", scores.cells["edu"] + " years")
    scores.cells["condition"], scores.cells["education"] = condition, education
    scores.state_words("gender", "REHABCAST//SEX", SEX)
    scores.state_words("age", "REHABCAST//AGE_BAND")
    scores.state_words("condition", "REHABCAST//CONDITION", CONDITIONS)
    scores.state_words("education", "REHABCAST//EDUCATION")
    scores.state_numbers("madrs1", MADRS, time_N=start_N)
    scores.state_numbers("madrs2", MADRS, time_N=last_N)
    return collected


def _add_counts(
    source: Path, subject: str, counts: pd.DataFrame, end: pd.Timestamp, collected: Collected
) -> None:
    """Add a person's counts until the end of the measurement, and later changes of the clock."""
    inside = counts[counts["timestamp"] < end]
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
    file = SourceFile(path=source / ACTIVITY, name=f"{ACTIVITY}:{subject}", subject_label=subject)
    reduce_reading(file, Reading(signals=(signal,)), collected, {})
    all_times = counts["timestamp"].to_numpy(dtype="datetime64[ns]")
    changes = [
        (subject, jump.at, CLOCK_CHANGE, None, None)
        for jump in jumps(all_times, signal.epoch_s)
        if jump.kind is JumpKind.DAYLIGHT_SAVING and jump.at >= end
    ]
    collected.records.append(records(changes, file=file.name))


def _without_counts(row: int, subject: str) -> Problem:
    return Problem(
        file=SCORES,
        row=row,
        field="number",
        found=f"{subject!r} has no counts or no days of measurement, the scores were left out",
        advice="check that the files belong together",
    )
