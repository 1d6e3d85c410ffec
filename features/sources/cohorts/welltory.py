"""Importer of Welltory's COVID-19 open data (Ponomarev 2021, doi:10.1101/2021.07.02.21259891).

Spot measurements of beat intervals, daily wearables, sleep, and symptom surveys. RMSSD and SDNN are
computed anew from the intervals; the nine symptom items of a day become one score, reversed so that
higher is better. The first symptoms are the onset.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contracts.cohort import ONSET
from contracts.errors import Problem
from features.biomarkers.heart import variability
from features.measurements.records import records
from features.recording import Collected
from features.sources.cohorts.cohort_files import columns_of, read_csv

NAME = "welltory"
"""As named on the command line."""

PEOPLE, WEARABLES, SLEEP = "participants.csv", "wearables.csv", "sleep.csv"
BEATS, SURVEYS = "hrv_measurements.csv.gz", "surveys.csv"
SEX = {"f": "female", "m": "male"}
DAILY = {
    "steps_count": ("LOINC//41950-7", 1.0),
    "resting_pulse": ("LOINC//40443-4", 1.0),
    "pulse_average": ("REHABCAST//HEART_RATE", 1.0),
    "distance": ("REHABCAST//DISTANCE", 0.001),
}
NO_INTENSITY = {"S_COVID_SYMPTOMS"}
"""This item says since when, not how strong."""


def matches(source: Path) -> bool:
    """Recognise the folder by the columns of its files."""
    folder = _data_folder(source)
    return {"user_code", "symptoms_onset"} <= columns_of(folder / PEOPLE) and {
        "user_code",
        "rr_data",
    } <= columns_of(folder / BEATS)


def collect(source: Path) -> Collected:
    """Read everything that a biomarker or score comes from."""
    folder = _data_folder(source)
    collected = Collected(read=dict.fromkeys((PEOPLE, WEARABLES, SLEEP, BEATS, SURVEYS), NAME))
    rows = [
        *_people(read_csv(folder / PEOPLE)),
        *_wearables(read_csv(folder / WEARABLES)),
        *_sleep(read_csv(folder / SLEEP)),
        *_symptoms(read_csv(folder / SURVEYS)),
        *_beats(read_csv(folder / BEATS), collected),
    ]
    collected.records.append(records(rows))
    return collected


def _data_folder(source: Path) -> Path:
    return source / "data" if (source / "data").is_dir() else source


def _people(people: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in people.itertuples():
        person: Any = row
        subject = str(person.user_code)
        rows.append((subject, None, "REHABCAST//SEX", None, SEX[str(person.gender)]))
        rows.append((subject, None, "REHABCAST//AGE_BAND", None, str(person.age_range)))
        if not pd.isna(person.country):
            rows.append((subject, None, "REHABCAST//SITE", None, str(person.country)))
        if not pd.isna(person.symptoms_onset):
            onset = pd.to_datetime(person.symptoms_onset, format="%m/%d/%Y")
            rows.append((subject, onset, ONSET, None, None))
    return rows


def _wearables(days: pd.DataFrame) -> list[tuple[Any, ...]]:
    return [
        (str(subject), pd.Timestamp(day), code, float(value) * factor, None)
        for column, (code, factor) in DAILY.items()
        for subject, day, value in days[["user_code", "day", column]]
        .dropna()
        .itertuples(index=False)
    ]


def _sleep(nights: pd.DataFrame) -> list[tuple[Any, ...]]:
    hours = nights.groupby(["user_code", "day"])["sleep_duration"].sum() / 3600
    return [
        (str(subject), pd.Timestamp(day), "REHABCAST//SLEEP", float(value), None)
        for subject, day, value in hours.reset_index().itertuples(index=False)
    ]


def _symptoms(surveys: pd.DataFrame) -> list[tuple[Any, ...]]:
    items = surveys[
        surveys["scale"].str.startswith("S_COVID_") & ~surveys["scale"].isin(NO_INTENSITY)
    ]
    last = items.drop_duplicates(["user_code", "created_at", "scale"], keep="last")
    mean = last.groupby(["user_code", "created_at"])["value"].mean()
    return [
        (str(subject), pd.Timestamp(day), "REHABCAST//SYMPTOM_RELIEF", 7 - float(value), None)
        for subject, day, value in mean.reset_index().itertuples(index=False)
    ]


def _beats(measured: pd.DataFrame, collected: Collected) -> list[tuple[Any, ...]]:
    parts: list[tuple[str, pd.Timestamp, str, float]] = []
    for number, (subject, when, text) in enumerate(
        measured[["user_code", "measurement_datetime", "rr_data"]].itertuples(index=False), start=2
    ):
        try:
            intervals = np.array(str(text).split(","), dtype=np.float64)
        except ValueError:
            collected.dropped.append(
                Problem(
                    file=BEATS,
                    row=number,
                    field="rr_data",
                    found="its beat intervals are not numbers, the measurement was left out",
                    advice="correct the row if the measurement is needed",
                )
            )
            continue
        day = pd.Timestamp(when).normalize()
        parts += [(str(subject), day, code, v) for code, v in variability(intervals).items()]
    table = pd.DataFrame(parts, columns=["subject_label", "day", "code", "value"])
    means = table.groupby(["subject_label", "day", "code"])["value"].mean()
    return [
        (str(subject), day, code, float(value), None)
        for subject, day, code, value in means.reset_index().itertuples(index=False)
    ]
