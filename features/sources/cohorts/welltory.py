"""Importer of Welltory's COVID-19 open data (Ponomarev 2021, doi:10.1101/2021.07.02.21259891).

Spot measurements of beat intervals, daily wearables, sleep, and symptom surveys. RMSSD and SDNN are
computed anew from the intervals; the nine symptom items of a day become one score, turned round so
that higher is better. The first symptoms are the onset.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contracts.cohort import ONSET
from contracts.errors import Problem
from features.biomarkers.heart import variability
from features.recording import Collected, records
from features.sources.cohorts.cohort_files import columns_of, read_csv

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
"""Says since when, not how strong."""


def is_mine(source: Path) -> bool:
    """Tell the folder by the columns of its files."""
    place = _place(source)
    return {"user_code", "symptoms_onset"} <= columns_of(place / PEOPLE) and {
        "user_code",
        "rr_data",
    } <= columns_of(place / BEATS)


def collect(source: Path) -> Collected:
    """Read everything that a biomarker or score comes from."""
    place = _place(source)
    found = Collected(read=dict.fromkeys((PEOPLE, WEARABLES, SLEEP, BEATS, SURVEYS), "welltory"))
    rows = [
        *_people(read_csv(place / PEOPLE)),
        *_wearables(read_csv(place / WEARABLES)),
        *_sleep(read_csv(place / SLEEP)),
        *_symptoms(read_csv(place / SURVEYS)),
        *_beats(read_csv(place / BEATS), found),
    ]
    found.records.append(records(rows))
    return found


def _place(source: Path) -> Path:
    return source / "data" if (source / "data").is_dir() else source


def _people(people: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in people.itertuples():
        person: Any = row
        who = str(person.user_code)
        rows.append((who, None, "REHABCAST//SEX", None, SEX[str(person.gender)]))
        rows.append((who, None, "REHABCAST//AGE_BAND", None, str(person.age_range)))
        if not pd.isna(person.country):
            rows.append((who, None, "REHABCAST//SITE", None, str(person.country)))
        if not pd.isna(person.symptoms_onset):
            onset = pd.to_datetime(person.symptoms_onset, format="%m/%d/%Y")
            rows.append((who, onset, ONSET, None, None))
    return rows


def _wearables(days: pd.DataFrame) -> list[tuple[Any, ...]]:
    return [
        (str(who), pd.Timestamp(day), code, float(value) * factor, None)
        for column, (code, factor) in DAILY.items()
        for who, day, value in days[["user_code", "day", column]].dropna().itertuples(index=False)
    ]


def _sleep(nights: pd.DataFrame) -> list[tuple[Any, ...]]:
    hours = nights.groupby(["user_code", "day"])["sleep_duration"].sum() / 3600
    return [
        (str(who), pd.Timestamp(day), "REHABCAST//SLEEP", float(value), None)
        for who, day, value in hours.reset_index().itertuples(index=False)
    ]


def _symptoms(surveys: pd.DataFrame) -> list[tuple[Any, ...]]:
    items = surveys[
        surveys["scale"].str.startswith("S_COVID_") & ~surveys["scale"].isin(NO_INTENSITY)
    ]
    last = items.drop_duplicates(["user_code", "created_at", "scale"], keep="last")
    mean = last.groupby(["user_code", "created_at"])["value"].mean()
    return [
        (str(who), pd.Timestamp(day), "REHABCAST//SYMPTOM_RELIEF", 7 - float(value), None)
        for who, day, value in mean.reset_index().itertuples(index=False)
    ]


def _beats(measured: pd.DataFrame, found: Collected) -> list[tuple[Any, ...]]:
    parts: list[tuple[str, pd.Timestamp, str, float]] = []
    for number, (who, when, text) in enumerate(
        measured[["user_code", "measurement_datetime", "rr_data"]].itertuples(index=False), start=2
    ):
        try:
            intervals = np.array(str(text).split(","), dtype=np.float64)
        except ValueError:
            message = "its beat intervals are no numbers: left out"
            found.dropped.append(Problem(file=BEATS, row=number, field="rr_data", found=message))
            continue
        day = pd.Timestamp(when).normalize()
        parts += [(str(who), day, code, v) for code, v in variability(intervals).items()]
    table = pd.DataFrame(parts, columns=["who", "day", "code", "value"])
    means = table.groupby(["who", "day", "code"])["value"].mean()
    return [
        (str(who), day, code, float(value), None)
        for who, day, code, value in means.reset_index().itertuples(index=False)
    ]
