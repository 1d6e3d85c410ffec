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

from contracts.cohort import CODE, NUMBER, ONSET, TIME
from contracts.errors import Problem
from features.biomarkers.heart import variability
from features.measurements.records import PLACE, SUBJECT_LABEL, Amount, records
from features.recording import Collected
from features.sources.cohorts.cohort_files import CohortTable, columns_of, read_table
from features.tables.text_tables import read_numbers

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
    people, wearables, nights, surveys, beats = (
        read_table(folder, name, "user_code", collected)
        for name in (PEOPLE, WEARABLES, SLEEP, SURVEYS, BEATS)
    )
    people.state_words("gender", "REHABCAST//SEX", SEX)
    people.state_words("age_range", "REHABCAST//AGE_BAND")
    people.state_words("country", "REHABCAST//SITE")
    people.state_dates(ONSET, people.times("symptoms_onset", "M/D/YYYY"))
    day_N = wearables.times("day")
    for column, (code, factor) in DAILY.items():
        wearables.state_numbers(column, code, time_N=day_N, factor=factor, amount=Amount.TOTAL)
    nights.state_numbers(
        "sleep_duration",
        "REHABCAST//SLEEP",
        time_N=nights.times("sleep_begin"),
        end_N=nights.times("sleep_end"),
        factor=1 / 3600,
        amount=Amount.PART,
    )
    collected.records.append(records(_symptoms(surveys), file=SURVEYS))
    collected.records.append(_beats(beats))
    return collected


def _data_folder(source: Path) -> Path:
    return source / "data" if (source / "data").is_dir() else source


def _symptoms(surveys: CohortTable) -> list[tuple[Any, ...]]:
    """Return one score a day: the mean of its items, of each the answer given last."""
    cells = surveys.cells.assign(
        day=surveys.times("created_at"), number=read_numbers(surveys.cells["value"]).value_N
    )
    items = cells[cells["scale"].str.startswith("S_COVID_") & ~cells["scale"].isin(NO_INTENSITY)]
    last = items.drop_duplicates(["user_code", "day", "scale"], keep="last")
    mean = last.groupby(["user_code", "day"])["number"].mean().dropna().reset_index()
    return [
        (subject, day, "REHABCAST//SYMPTOM_RELIEF", 7 - value, None)
        for subject, day, value in mean.itertuples(index=False)
    ]


def _beats(measured: CohortTable) -> pd.DataFrame:
    """Return the variability of each measurement's beat intervals."""
    when = measured.times("measurement_datetime")
    rows: list[dict[str, Any]] = []
    for n, (row, text) in enumerate(measured.cells["rr_data"].items()):
        try:
            intervals = np.array(text.split(","), dtype=np.float64)
        except ValueError:
            measured.collected.dropped.append(
                Problem(
                    file=BEATS,
                    row=int(str(row)),
                    field="rr_data",
                    found="its beat intervals are not numbers, the measurement was left out",
                    advice="correct the row if the measurement is needed",
                    cause="rr_data",
                )
            )
            continue
        shared = {SUBJECT_LABEL: measured.subjects.iloc[n], TIME: when[n], PLACE: str(row)}
        rows += [
            {**shared, CODE: code, NUMBER: value} for code, value in variability(intervals).items()
        ]
    table = records(rows, amount=str(Amount.READING), file=BEATS)
    return table[table[TIME].notna()]
