"""Apple Health, Fitbit, FHIR and Open mHealth: documents of dated values."""

from __future__ import annotations

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from contracts.errors import SourceUnreadable
from features.recording import Reading, SourceFile
from features.sources import formats

STEPS, RESTING = "LOINC//41950-7", "LOINC//40443-4"


def read(path: Path) -> Reading:
    (reading,) = formats.read(SourceFile(path=path, name=path.name, subject_label="somebody"))
    return reading


def written(place: Path, document: Any) -> Path:
    file = place / "document"
    file.write_text(json.dumps(document), "utf-8")
    return file


def values(reading: Reading, code: str) -> dict[str, float]:
    assert reading.records is not None
    rows = reading.records[reading.records["code"] == code]
    return {
        str(t.date()): v
        for t, v in rows[["time", "numeric_value"]].itertuples(index=False, name=None)
    }


def test_apple_days_are_the_sums_of_the_expected_tables(samples: Path) -> None:
    reading = read(samples / "apple_health" / "export6s3sample.xml")
    for code, name in ((STEPS, "StepCount"), ("REHABCAST//DISTANCE", "DistanceWalkingRunning")):
        truth = pd.read_csv(samples / "apple_health" / f"{name}.csv")
        days = truth.groupby(truth["startDate"].str[:10])["value"].sum()
        assert values(reading, code) == pytest.approx(days.to_dict())


APPLE = """<?xml version="1.0"?><HealthData><ExportDate value="x"/>
<Record type="HKQuantityTypeIdentifierStepCount" sourceName="phone" unit="count"
 startDate="2020-03-01 23:50:00 +0100" endDate="2020-03-01 23:55:00 +0100" value="100"/>
<Record type="HKQuantityTypeIdentifierStepCount" sourceName="watch" unit="count"
 startDate="2020-03-01 23:50:00 +0100" endDate="2020-03-02 00:05:00 +0100" value="130"/>
<Record type="HKQuantityTypeIdentifierDistanceWalkingRunning" sourceName="phone" unit="furlong"
 startDate="2020-03-01 10:00:00 +0100" endDate="2020-03-01 10:05:00 +0100" value="1"/>
<Record type="HKQuantityTypeIdentifierStepCount" sourceName="watch" unit="count"
 startDate="yesterday" endDate="2020-03-02 00:05:00 +0100" value="130"/>
<Record type="HKQuantityTypeIdentifierStepCount" sourceName="watch" unit="count"
 startDate="2020-03-02 23:50:00 +0100" endDate="2020-03-02 23:55:00 +0100" value="NaN"/>
<Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="watch"
 startDate="2020-03-01 22:00:00 +0100" endDate="2020-03-02 06:30:00 +0100"
 value="HKCategoryValueSleepAnalysisAsleepCore"/>
</HealthData>"""


def test_two_apple_devices_on_the_same_steps_are_not_added(tmp_path: Path) -> None:
    (tmp_path / "export.xml").write_text(APPLE)
    reading = read(tmp_path / "export.xml")
    assert values(reading, STEPS) == {"2020-03-01": 130}
    assert values(reading, "REHABCAST//SLEEP") == {"2020-03-02": 8.5}
    said = [problem.message for problem in reading.dropped]
    assert [word in text for word, text in zip(("furlong", "dates", "nan"), said, strict=True)]


def test_a_phones_zip_is_read_like_its_xml(tmp_path: Path) -> None:
    packed = tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("apple_health_export/export_cda.xml", "<x/>")
        archive.writestr("apple_health_export/export.xml", APPLE)
    assert values(read(packed), STEPS) == {"2020-03-01": 130}
    packed.write_bytes(packed.read_bytes()[:-60])
    with pytest.raises(SourceUnreadable, match=r"archive.*cannot be unpacked"):
        read(packed)


def test_an_apple_export_cut_short_is_refused_not_read_in_part(tmp_path: Path) -> None:
    (tmp_path / "export.xml").write_text(APPLE[:900])
    with pytest.raises(SourceUnreadable, match=r"after record \d.*not well-formed"):
        read(tmp_path / "export.xml")


def test_fitbit_documents_give_days(tmp_path: Path) -> None:
    api = {
        "activities-steps": [
            {"dateTime": "2020-01-01", "value": "5000"},
            {"dateTime": "2020-01-02", "value": "many"},
        ],
        "activities-heart": [{"dateTime": "2020-01-01", "value": {"restingHeartRate": 61}}],
    }
    reading = read(written(tmp_path, api))
    assert values(reading, STEPS) == {"2020-01-01": 5000}
    assert values(reading, RESTING) == {"2020-01-01": 61}
    assert [problem.field for problem in reading.dropped] == ["activities-steps[1]"]
    nights = [
        {"dateOfSleep": "2020-01-02", "minutesAsleep": 400},
        {"dateOfSleep": "2020-01-02", "minutesAsleep": 80},
    ]
    assert values(read(written(tmp_path, nights)), "REHABCAST//SLEEP") == {"2020-01-02": 8.0}
    with pytest.raises(SourceUnreadable, match="only in its file name"):
        read(written(tmp_path, [{"dateTime": "01/02/20 00:00:00", "value": "5"}]))
    table = tmp_path / "dailyActivity_merged.csv"
    table.write_text("Id,ActivityDate,TotalSteps\n7,4/12/2016,13162\n7,never,5\n7,4/13/2016,x\n")
    reading = read(table)
    assert values(reading, STEPS) == {"2016-04-12": 13162}
    assert [(p.row, p.field) for p in reading.dropped] == [(3, "ActivityDate"), (4, "TotalSteps")]


def observation(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "41950-7"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2024-05-03T23:30:00-04:00",
        "valueQuantity": {
            "value": 4321, "code": "/d", "system": "http://unitsofmeasure.org",
        },
        **changes,
    }  # fmt: skip


PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "gender": "female",
    "birthDate": "1950-06-01",
    "extension": [
        {
            "url": f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}",
            "extension": [
                {"url": "ombCategory", "valueCoding": {"display": label}},
                {"url": "text", "valueString": label},
            ],
        }
        for name, label in (
            ("race", "Black or African American"),
            ("ethnicity", "Not Hispanic or Latino"),
        )
    ],
}
THERAPY = {
    "resourceType": "Procedure",
    "status": "completed",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91251008"}]},
    "subject": {"reference": "urn:uuid:p1"},
    "performedPeriod": {"start": "2024-05-03T10:00:00Z", "end": "2024-05-03T10:45:00Z"},
}
STROKE = {
    "resourceType": "Condition",
    "subject": {"reference": "Patient/p1"},
    "onsetDateTime": "2024-04-30",
}


def test_a_fhir_bundle_and_bulk_ndjson_say_the_same(tmp_path: Path) -> None:
    resources = [PATIENT, observation(), THERAPY, THERAPY, STROKE]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in resources],
    }
    one = read(written(tmp_path, bundle))
    lines = tmp_path / "bulk.ndjson"
    lines.write_text("\n".join(json.dumps(resource) for resource in resources))
    other = read(lines)
    assert one.records is not None
    assert other.records is not None
    pd.testing.assert_frame_equal(one.records, other.records)
    # The wall clock of the patient's day, not the day in UTC.
    assert values(one, STEPS) == {"2024-05-03": 4321}
    assert values(one, "REHABCAST//THERAPY") == {"2024-05-03": 90}
    labels = dict(one.records[["code", "text_value"]].dropna().itertuples(index=False, name=None))
    assert labels == {
        "REHABCAST//SEX": "female",
        "REHABCAST//RACE": "Black or African American",
        "REHABCAST//ETHNICITY": "non-Hispanic Black",
    }


def test_annotations_of_a_unit_mean_nothing(tmp_path: Path) -> None:
    steps = observation(valueQuantity={"value": 12, "code": "{steps}/d"})
    assert values(read(written(tmp_path, steps)), STEPS) == {"2024-05-03": 12}


WRONG = {
    "in another unit": observation(valueQuantity={"value": 1, "code": "/h"}),
    "not in the vocabulary": observation(code={"text": "mood"}),
    "whose date has no day": observation(effectiveDateTime="2024-05"),
    "without a value": observation(valueQuantity={"code": "/d"}),
    "entered-in-error": observation(status="entered-in-error"),
    "without a subject": observation(subject={}),
    "not FHIR R4": observation(status=17),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_observation_that_cannot_count_is_left_out_and_told(tmp_path: Path, wrong: str) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": observation()}, {"resource": WRONG[wrong]}],
    }
    reading = read(written(tmp_path, bundle))
    assert values(reading, STEPS) == {"2024-05-03": 4321}
    (problem,) = reading.dropped
    told = f"{problem.field} {problem.message}"
    assert (wrong if wrong != "in another unit" else "in '/h', expected '/d'") in told


def test_a_bulk_file_cut_short_names_the_line(tmp_path: Path) -> None:
    text = json.dumps(observation())
    (tmp_path / "bulk.ndjson").write_text(f"{text}\n{text[:100]}")
    with pytest.raises(SourceUnreadable, match=r"line 2.*not JSON"):
        read(tmp_path / "bulk.ndjson")


def test_synthetic_patients_give_onset_sex_and_birth_date(samples: Path) -> None:
    for file in sorted((samples / "fhir").glob("synthea_*.json.gz")):
        reading = read(file)
        assert reading.records is not None
        assert {"REHABCAST//ONSET", "REHABCAST//SEX", "birth date", "REHABCAST//RACE"} <= set(
            reading.records["code"]
        )
        assert reading.dropped


POINT: dict[str, Any] = {
    "header": {
        "uuid": "1",
        "schema_id": {"namespace": "omh", "name": "step-count", "version": "3.0"},
        "source_creation_date_time": "2020-02-05T07:25:00Z",
    },
    "body": {
        "step_count": {"value": 1500, "unit": "steps"},
        "effective_time_frame": {
            "time_interval": {
                "start_date_time": "2020-02-05T23:25:00-08:00",
                "end_date_time": "2020-02-05T23:55:00-08:00",
            }
        },
    },
}


def test_open_mhealth_points_are_checked_against_their_schema(tmp_path: Path) -> None:
    bad = copy.deepcopy(POINT)
    bad["body"]["step_count"]["unit"] = "strides"
    foreign = copy.deepcopy(POINT)
    foreign["header"]["schema_id"]["name"] = "mood"
    reading = read(written(tmp_path, [POINT, POINT, bad, foreign]))
    assert values(reading, STEPS) == {"2020-02-05": 3000}
    first, second = reading.dropped
    assert first.field == "[2]"
    assert "does not conform to omh:step-count:3.0" in first.message
    assert "omh:mood:3.0" in second.field


def test_beat_intervals_of_open_mhealth_become_a_signal(tmp_path: Path) -> None:
    points = []
    for second in range(3):
        point = copy.deepcopy(POINT)
        point["header"]["schema_id"] = {"namespace": "omh", "name": "rr-interval", "version": "1.0"}
        point["body"] = {
            "rr_interval": {"value": 800 + second, "unit": "ms"},
            "effective_time_frame": {"date_time": f"2020-02-05T10:00:0{second}Z"},
        }
        points.append(point)
    (signal,) = read(written(tmp_path, points)).signals
    assert signal.values_NC[:, 0].tolist() == [800, 801, 802]


def test_a_fitbit_day_in_a_drawer_is_no_day_without_movement(tmp_path: Path) -> None:
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
