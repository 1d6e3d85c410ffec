"""Importer of LifeSnaps (Yfantidou 2022, doi:10.1038/s41597-022-01764-x): days and surveys.

Its daily table has names of its own and metres, which only this cohort's folder proves: such a
table alone is nobody's known export.
"""

from __future__ import annotations

from pathlib import Path

from features.recording import Collected, SourceFile
from features.sources.cohorts.cohort_files import CohortTable, columns_of, read_table
from features.sources.devices.fitbit_days import (
    DISTANCE,
    RESTING,
    SLEEP,
    STEPS,
    DayColumns,
    read_days,
)
from features.tables.text_tables import read_text_table

NAME = "lifesnaps"
"""As named on the command line."""

DAYS, SUBJECT = "daily_fitbit_sema.csv.gz", "id"
COLUMNS = DayColumns(
    subject=SUBJECT,
    date="date",
    forms=("",),
    values={
        "steps": (STEPS, 1.0),
        "distance": (DISTANCE, 0.001),
        "resting_hr": (RESTING, 1.0),
        "minutesAsleep": (SLEEP, 1 / 60),
        "rmssd": ("REHABCAST//RMSSD", 1.0),
        "bpm": ("REHABCAST//HEART_RATE", 1.0),
    },
    active=("very_active_minutes", "moderately_active_minutes"),
    light="lightly_active_minutes",
    sedentary="sedentary_minutes",
)
SURVEYS = {
    "survey_stai.csv": ("stai_stress", "REHABCAST//STAI_CALM", 100.0),
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
    table = read_text_table(source / DAYS, DAYS)
    file = SourceFile(path=source / DAYS, name=DAYS, subject_label="")
    reading = read_days(file, table, COLUMNS)
    collected.dropped += reading.dropped
    if reading.records is not None:
        collected.records.append(reading.records)
    named = table.cells[table.cells[SUBJECT] != ""]
    people = CohortTable(name=DAYS, cells=named, subjects=named[SUBJECT], collected=collected)
    people.state_words("gender", "REHABCAST//SEX", SEX)
    people.state_words("age", "REHABCAST//AGE_BAND", AGE_BANDS)
    for name, (column, code, best) in SURVEYS.items():
        if (source / name).is_file():
            collected.read[name] = NAME
            answers = read_table(source, name, "user_id", collected)
            when = answers.times("submitdate")
            answers.state_numbers(column, code, time_N=when, from_best=best)
    return collected
