"""Importer of NHANES 2003-2006 hip counts by minute with wear flags, and the people's covariates.

`minute_counts_218x7d.parquet` and `wear_flags_218x7d.parquet` (one row a person and weekday, 1,440
columns), `covariates_mortality2015.csv.gz`. Only weekdays are known, so all days lie in one nominal
week. There is no repeated outcome here; the cohort exercises wear, days and groups.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from contracts.errors import Problem, SourceUnreadable
from features.biomarkers.reduction import reduce_reading
from features.recording import Collected, Quantity, Reading, Signal, SourceFile
from features.sources.cohorts.cohort_files import CohortTable, columns_of, read_parquet, read_table
from features.tables.text_tables import read_numbers

NAME = "nhanes-minutes"
"""As named on the command line."""

COUNTS, FLAGS = "minute_counts_218x7d.parquet", "wear_flags_218x7d.parquet"
PEOPLE = "covariates_mortality2015.csv.gz"

SUNDAY = np.datetime64("2000-01-02", "m")
"""Day label 1 is a Sunday: the first of the nominal calendar."""

NOMINAL_DATES = True
"""Only weekdays are known: no date of this cohort is a real one."""

YOUNGEST = 18
SEX = {"Male": "male", "Female": "female"}
RACE_AND_ETHNICITY = {
    "White": "non-Hispanic White",
    "Black": "non-Hispanic Black",
    "Mexican American": "Hispanic",
    "Other Hispanic": "Hispanic",
    "Other": "other",
}


def matches(source: Path) -> bool:
    """Recognise the folder by the columns of its files."""
    return {"SEQN", "daylabel", "m0001"} <= columns_of(source / COUNTS) & columns_of(source / FLAGS)


def collect(source: Path) -> Collected:
    """Read counts, wear flags and people."""
    counts, flags = read_parquet(source / COUNTS), read_parquet(source / FLAGS)
    if not counts[["SEQN", "daylabel"]].equals(flags[["SEQN", "daylabel"]]):
        raise SourceUnreadable(
            FLAGS, "SEQN", f"its rows are not those of {COUNTS}", "download both files again"
        )
    collected = Collected(read=dict.fromkeys((COUNTS, FLAGS, PEOPLE), NAME))
    people = read_table(source, PEOPLE, "SEQN", collected)
    with_facts = set(people.subjects)
    minutes = [name for name in counts.columns if name.startswith("m")]
    measured = set()
    for label, row_numbers in counts.groupby("SEQN").indices.items():
        person = str(label)
        measured.add(person)
        days = counts["daylabel"].to_numpy()[row_numbers].astype(np.int64) - 1
        time = SUNDAY + (days[:, None] * 1440 + np.arange(1440)).ravel().astype("timedelta64[m]")
        common = {
            "subject_label": person,
            "time_N": time.astype("datetime64[ns]"),
            "epoch_s": 60.0,
            "placement": "hip",
            "device": "ActiGraph 7164",
            "maker": "ActiGraph",
            "clock": "weekdays in one nominal week",
        }
        signals = tuple(
            Signal(
                quantity=quantity,
                values_NC=table[minutes].to_numpy(dtype=np.float32)[row_numbers].reshape(-1, 1),
                **common,  # type: ignore[arg-type]
            )
            for quantity, table in ((Quantity.COUNTS, counts), (Quantity.WORN, flags))
        )
        file = SourceFile(
            path=source / COUNTS, name=f"{COUNTS}:{person}", subject_label=person,
            dates_shifted=NOMINAL_DATES,
        )  # fmt: skip
        reduce_reading(file, Reading(signals=signals), collected, {})
        if person not in with_facts:
            collected.dropped.append(
                Problem(
                    file=PEOPLE,
                    row=None,
                    field=f"SEQN {person}",
                    found="no row with this SEQN, the person's facts are not recorded",
                    advice="check that the files belong together",
                )
            )
    _state_facts(people.where(people.subjects.isin(measured)))
    return collected


def _state_facts(people: CohortTable) -> None:
    age_N = read_numbers(people.cells["RIDAGEYR"]).value_N
    people.state_words("Gender", "REHABCAST//SEX", SEX)
    people.state_words("Race", "REHABCAST//RACE")
    people.state_words("Race", "REHABCAST//ETHNICITY", RACE_AND_ETHNICITY)
    people.state_words("EducationAdult", "REHABCAST//EDUCATION")
    for band, rows_N in (("adult", age_N >= YOUNGEST), (f"under {YOUNGEST}", age_N < YOUNGEST)):
        rows = people.where(pd.Series(rows_N, index=people.cells.index))
        rows.cells["band"] = band
        rows.state_words("band", "REHABCAST//AGE_BAND")
        if band == "adult":
            rows.state_numbers("RIDAGEYR", "REHABCAST//AGE")
