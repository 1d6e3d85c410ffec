"""FHIR R4 documents: records, and what is left out of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from contracts.cohort import CODE, NUMBER, ONSET, TEXT, TIME
from contracts.errors import SourceUnreadable
from features.measurements.reconcile import reconcile
from features.recording import Reading

STEPS = "LOINC//41950-7"


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
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "230690007"}]},
    "onsetDateTime": "2024-04-30",
}


def decided(reading: Reading) -> pd.DataFrame:
    assert reading.records is not None
    return reconcile([reading.records]).values


def days(reading: Reading, code: str) -> dict[str, float]:
    table = decided(reading)
    rows = table.loc[table[CODE] == code, [TIME, NUMBER]]
    return {f"{time:%Y-%m-%d}": number for time, number in rows.itertuples(index=False, name=None)}


def test_a_fhir_bundle_and_bulk_ndjson_say_the_same(
    tmp_path: Path, read: Callable[[Path], Reading], written: Callable[[Any], Path]
) -> None:
    resources = [PATIENT, observation(), THERAPY, THERAPY, STROKE]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in resources],
    }
    one = read(written(bundle))
    lines = tmp_path / "bulk.ndjson"
    lines.write_text("\n".join(json.dumps(resource) for resource in resources))
    other = read(lines)
    pd.testing.assert_frame_equal(decided(one), decided(other))
    # The wall clock of the patient's day, not the day in UTC.
    assert days(one, STEPS) == {"2024-05-03": 4321}
    # One session that is exported twice took place once.
    assert days(one, "REHABCAST//THERAPY") == {"2024-05-03": 45}
    labels = dict(decided(one)[[CODE, TEXT]].dropna().itertuples(index=False, name=None))
    assert labels == {
        "REHABCAST//SEX": "female",
        "REHABCAST//RACE": "Black or African American",
        "REHABCAST//ETHNICITY": "non-Hispanic Black",
    }


def test_annotations_of_a_unit_mean_nothing(
    read: Callable[[Path], Reading], written: Callable[[Any], Path]
) -> None:
    steps = observation(valueQuantity={"value": 12, "code": "{steps}/d"})
    assert days(read(written(steps)), STEPS) == {"2024-05-03": 12}


WRONG = {
    "in another unit": observation(
        valueQuantity={"value": 1, "code": "/h"}, effectiveDateTime="2024-05-04"
    ),
    "not in the vocabulary": observation(code={"text": "mood"}),
    "whose date has no day": observation(effectiveDateTime="2024-05"),
    "without a value": observation(valueQuantity={"code": "/d"}),
    "entered-in-error": observation(status="entered-in-error"),
    "without a subject": observation(subject={}),
    "not FHIR R4": observation(status=17),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_observation_that_cannot_be_used_is_left_out_and_reported(
    wrong: str, read: Callable[[Path], Reading], written: Callable[[Any], Path]
) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": observation()}, {"resource": WRONG[wrong]}],
    }
    reading = read(written(bundle))
    assert days(reading, STEPS) == {"2024-05-03": 4321}
    (problem,) = reading.dropped
    reported = f"{problem}"
    assert "entry 1" in reported
    assert (wrong if wrong != "in another unit" else "in '/h', expected '/d'") in reported


def test_a_bulk_file_cut_short_names_the_line(
    tmp_path: Path, read: Callable[[Path], Reading]
) -> None:
    text = json.dumps(observation())
    (tmp_path / "bulk.ndjson").write_text(f"{text}\n{text[:100]}")
    with pytest.raises(SourceUnreadable, match=r"line 2.*not JSON"):
        read(tmp_path / "bulk.ndjson")


def test_synthetic_patients_without_a_stroke_have_no_onset(
    samples: Path, read: Callable[[Path], Reading]
) -> None:
    for file in sorted((samples / "fhir").glob("synthea_*.json.gz")):
        reading = read(file)
        codes = set(decided(reading)[CODE])
        assert {"REHABCAST//SEX", "birth date", "REHABCAST//RACE"} <= codes
        assert ONSET not in codes
        assert any("no stroke and gives no onset" in p.found for p in reading.dropped)
