"""Importer of NHANES 2003-2006 hip counts by minute with wear flags, and the people's covariates.

`minute_counts_218x7d.parquet` and `wear_flags_218x7d.parquet` (one row a person and weekday, 1,440
columns), `covariates_mortality2015.csv.gz`. Only weekdays are told, so days are placed in one
nominal week. There is no repeated outcome here; the cohort exercises wear, days and groups.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contracts.errors import Problem, SourceUnreadable
from features.biomarkers.reduction import take_reading
from features.recording import Collected, Quantity, Reading, Signal, SourceFile, records
from features.sources.cohorts.cohort_files import columns_of, read_csv, read_parquet

COUNTS, FLAGS = "minute_counts_218x7d.parquet", "wear_flags_218x7d.parquet"
PEOPLE = "covariates_mortality2015.csv.gz"
SUNDAY = np.datetime64("2000-01-02", "m")
"""Day label 1 is a Sunday: the first of the nominal calendar."""

YOUNGEST = 18
RACE_AND_ETHNICITY = {
    "White": "non-Hispanic White",
    "Black": "non-Hispanic Black",
    "Mexican American": "Hispanic",
    "Other Hispanic": "Hispanic",
    "Other": "other",
}


def is_mine(source: Path) -> bool:
    """Tell the folder by the columns of its files."""
    return {"SEQN", "daylabel", "m0001"} <= columns_of(source / COUNTS) & columns_of(source / FLAGS)


def collect(source: Path) -> Collected:
    """Read counts, wear flags and people."""
    counts, flags = read_parquet(source / COUNTS), read_parquet(source / FLAGS)
    if not counts[["SEQN", "daylabel"]].equals(flags[["SEQN", "daylabel"]]):
        raise SourceUnreadable(FLAGS, "SEQN", f"its rows are not those of {COUNTS}")
    people = {int(row["SEQN"]): row for _, row in read_csv(source / PEOPLE).iterrows()}
    found = Collected(read=dict.fromkeys((COUNTS, FLAGS, PEOPLE), "nhanes-minutes"))
    minutes = [name for name in counts.columns if name.startswith("m")]
    rows: list[tuple[Any, ...]] = []
    for label, place in counts.groupby("SEQN").indices.items():
        person = int(str(label))
        days = counts["daylabel"].to_numpy()[place].astype(np.int64) - 1
        time = SUNDAY + (days[:, None] * 1440 + np.arange(1440)).ravel().astype("timedelta64[m]")
        about = {
            "who": str(person),
            "time_N": time.astype("datetime64[ns]"),
            "epoch_s": 60.0,
            "placement": "hip",
            "device": "ActiGraph 7164",
            "clock": "weekdays in one nominal week",
        }
        signals = tuple(
            Signal(
                quantity=quantity,
                values_NC=table[minutes].to_numpy(dtype=np.float32)[place].reshape(-1, 1),
                **about,  # type: ignore[arg-type]
            )
            for quantity, table in ((Quantity.COUNTS, counts), (Quantity.WORN, flags))
        )
        file = SourceFile(path=source / COUNTS, name=f"{COUNTS}:{person}", who=str(person))
        take_reading(file, Reading(signals=signals), found, {})
        if person in people:
            rows += _facts(str(person), people[person])
        else:
            message = "no row with this SEQN: the person's facts are not recorded"
            field = f"SEQN {person}"
            found.dropped.append(Problem(file=PEOPLE, row=None, field=field, found=message))
    found.records.append(records(rows))
    return found


def _facts(who: str, person: pd.Series) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = [
        (who, None, "REHABCAST//SEX", None, str(person["Gender"]).lower()),
        (who, None, "REHABCAST//RACE", None, str(person["Race"])),
        (who, None, "REHABCAST//ETHNICITY", None, RACE_AND_ETHNICITY[str(person["Race"])]),
        (who, None, "REHABCAST//AGE_BAND", None, _age_band(person["RIDAGEYR"])),
    ]
    if person["RIDAGEYR"] >= YOUNGEST:
        rows.append((who, None, "REHABCAST//AGE", float(person["RIDAGEYR"]), None))
    if isinstance(person["EducationAdult"], str):
        rows.append((who, None, "REHABCAST//EDUCATION", None, person["EducationAdult"]))
    return rows


def _age_band(age: float) -> str:
    return "adult" if age >= YOUNGEST else f"under {YOUNGEST}"
