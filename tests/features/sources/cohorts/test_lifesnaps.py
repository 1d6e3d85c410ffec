"""LifeSnaps is read by its folder alone: metres, names and missing days of its own."""

from __future__ import annotations

import gzip
from pathlib import Path

from features.measurements.reconcile import reconcile
from features.sources.cohorts.lifesnaps import DAYS, collect, matches

HEADER = (
    "id,date,steps,distance,bpm,rmssd,resting_hr,minutesAsleep,very_active_minutes,"
    "moderately_active_minutes,lightly_active_minutes,sedentary_minutes,age,gender\n"
)


def written(folder: Path, *rows: str) -> Path:
    (folder / DAYS).write_bytes(gzip.compress((HEADER + "\n".join(rows) + "\n").encode()))
    (folder / "survey_stai.csv").write_text(
        "user_id,type,submitdate,stai_stress\n01,stai,2021-05-31,45\n01,stai,some day,46\n"
    )
    return folder


def test_days_facts_and_surveys_are_stated_with_their_rows(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        "01,2021-05-24,5000,4200,70,30,60,420,10,20,100,900,<30,MALE",
        "1,2021-05-24,0,0,71,31,61,430,0,0,0,1440,>=30,FEMALE",
        "1,2021-05-25,0,0,,,62,,0,0,0,1380,>=30,",
    )
    assert matches(source)
    collected = collect(source)
    values = reconcile(collected.records).values
    found = {
        (row.subject_label, row.code.split("//")[1]): row.numeric_value
        for row in values.itertuples()
        if row.time == row.time and str(row.time.date()) != "2021-05-25"
    }
    assert found["01", "41950-7"] == 5000
    assert found["01", "DISTANCE"] == 4.2
    assert found["01", "ACTIVE_TIME"] == 30
    assert found["01", "SLEEP"] == 7
    assert found["01", "STAI_CALM"] == 55
    # The tracker lay in a drawer: what it knows of the heart stays.
    assert ("1", "41950-7") not in found
    assert found["1", "40443-4"] == 61
    walked = values[(values["subject_label"] == "1") & (values["code"] == "LOINC//41950-7")]
    assert walked["numeric_value"].tolist() == [0]
    assert {(p.file, p.row) for p in collected.dropped} == {(DAYS, None), ("survey_stai.csv", 3)}
    assert set(values.loc[values["text_value"].notna(), "text_value"]) == {
        "male", "female", "under 30", "30 and over",
    }  # fmt: skip


def test_rows_in_any_order_give_the_same_people(tmp_path: Path) -> None:
    rows = [f"{n % 3},2021-05-{10 + n},{n}00,1,,,,,1,1,1,900,<30,MALE" for n in range(9)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = reconcile(collect(written(tmp_path / "a", *rows)).records).values
    again = reconcile(collect(written(tmp_path / "b", *reversed(rows), rows[0])).records).values
    assert first.equals(again)
