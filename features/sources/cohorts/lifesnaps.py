"""Importer of LifeSnaps (Yfantidou 2022, doi:10.1038/s41597-022-01764-x): days and surveys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from features.measurements.records import records
from features.recording import Collected, SourceFile
from features.sources import formats
from features.sources.cohorts.cohort_files import columns_of, read_csv
from features.sources.devices import fitbit

NAME = "lifesnaps"
"""As named on the command line."""

DAYS = "daily_fitbit_sema.csv.gz"
SURVEYS = {
    "survey_stai.csv": ("stai_stress", "REHABCAST//STAI_CALM", 100),
    "survey_panas.csv": ("positive_affect_score", "REHABCAST//POSITIVE_AFFECT", None),
}
"""Column and code; a third figure is what the score is taken from, so that higher is better."""

SEX = {"MALE": "male", "FEMALE": "female"}
AGE_BANDS = {"<30": "under 30", ">=30": "30 and over"}


def matches(source: Path) -> bool:
    """Recognise the folder by the columns of its daily table."""
    return {"id", "date", "steps", "resting_hr", "minutesAsleep"} <= columns_of(source / DAYS)


def collect(source: Path) -> Collected:
    """Read days, surveys and people."""
    collected = Collected(read={DAYS: NAME})
    file = SourceFile(path=source / DAYS, name=DAYS, subject_label="")
    for reading in formats.read(file, fitbit.FORMAT.name):
        collected.dropped += reading.dropped
        if reading.records is not None:
            collected.records.append(reading.records)
    people = read_csv(source / DAYS)[["id", "age", "gender"]].drop_duplicates("id")
    rows: list[tuple[Any, ...]] = []
    for subject, age, gender in people.itertuples(index=False):
        rows += [(subject, None, "REHABCAST//SEX", None, SEX[gender])] if gender in SEX else []
        if age in AGE_BANDS:
            rows.append((subject, None, "REHABCAST//AGE_BAND", None, AGE_BANDS[age]))
    for name, (column, code, best) in SURVEYS.items():
        if (source / name).is_file():
            collected.read[name] = NAME
            answers = read_csv(source / name)[["user_id", "submitdate", column]].dropna()
            for subject, day, score in answers.itertuples(index=False):
                value = float(score) if best is None else best - float(score)
                rows.append((subject, pd.Timestamp(day), code, value, None))
    collected.records.append(records(rows))
    return collected
