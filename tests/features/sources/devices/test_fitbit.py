"""Fitbit days from JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import SourceUnreadable
from features.recording import Reading, SourceFile
from features.sources import formats

STEPS = "LOINC//41950-7"
RESTING = "LOINC//40443-4"


def test_fitbit_documents_give_days(
    tmp_path: Path,
    read: Callable[[Path], Reading],
    values: Callable[[Reading, str], dict[str, float]],
    written: Callable[[Any], Path],
) -> None:
    api = {
        "activities-steps": [
            {"dateTime": "2020-01-01", "value": "5000"},
            {"dateTime": "2020-01-02", "value": "many"},
        ],
        "activities-heart": [{"dateTime": "2020-01-01", "value": {"restingHeartRate": 61}}],
    }
    reading = read(written(api))
    assert values(reading, STEPS) == {"2020-01-01": 5000}
    assert values(reading, RESTING) == {"2020-01-01": 61}
    assert [problem.field for problem in reading.dropped] == ["activities-steps[1]"]
    nights = [
        {"dateOfSleep": "2020-01-02", "minutesAsleep": 400},
        {"dateOfSleep": "2020-01-02", "minutesAsleep": 80},
    ]
    assert values(read(written(nights)), "REHABCAST//SLEEP") == {"2020-01-02": 8.0}
    with pytest.raises(SourceUnreadable, match="only in its file name"):
        read(written([{"dateTime": "01/02/20 00:00:00", "value": "5"}]))
    table = tmp_path / "dailyActivity_merged.csv"
    table.write_text("Id,ActivityDate,TotalSteps\n7,4/12/2016,13162\n7,never,5\n7,4/13/2016,x\n")
    reading = read(table)
    assert values(reading, STEPS) == {"2016-04-12": 13162}
    assert [(p.row, p.field) for p in reading.dropped] == [(3, "ActivityDate"), (4, "TotalSteps")]


def test_a_fitbit_day_in_a_drawer_is_no_day_without_movement(
    tmp_path: Path, read: Callable[[Path], Reading]
) -> None:
    file = tmp_path / "days.csv"
    file.write_text(
        "id,date,steps,very_active_minutes,moderately_active_minutes,sedentary_minutes,resting_hr\n"
        "a,2021-05-24,5000,10,20,900,60\n"
        "a,2021-05-25,0,0,0,1440,61\n"
        "a,2021-05-26,0,0,0,1380,62\n"
    )
    (reading,) = formats.read(SourceFile(path=file, name=file.name, subject_label="x"))
    assert reading.records is not None
    active = reading.records[reading.records["code"] == "REHABCAST//ACTIVE_TIME"]
    steps = reading.records[reading.records["code"] == "LOINC//41950-7"]
    assert active["numeric_value"].tolist() == [30, 0]
    assert steps["numeric_value"].tolist() == [5000, 0]
    assert (reading.records["code"] == "LOINC//40443-4").sum() == 3
    (problem,) = reading.dropped
    assert problem.field == "sedentary_minutes"
    assert problem.message.startswith("1 day(s) of 24 sedentary hours")
