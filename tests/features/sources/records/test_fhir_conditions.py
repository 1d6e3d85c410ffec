"""Conditions and Patients: the onset, and who has died."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from contracts.cohort import CODE, ONSET
from contracts.onset import STROKE, OnsetCodes
from features.measurements.people import deaths
from features.measurements.reconcile import reconcile
from features.measurements.records import DEATH
from features.recording import SourceFile
from features.sources.records.fhir import read_documents

ICD = "http://hl7.org/fhir/sid/icd-10"


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD, "I63.9"),
        (f"{ICD}-cm", "I6350"),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "I61.0"),
        ("urn:oid:2.16.840.1.113883.6.90", "I63.9"),
        ("https://smt.esante.gouv.fr/terminologie-cim-10", "I63.9"),
        ("http://hl7.it/sid/CIM10", "I63.9"),
        ("urn:hl7-org:v3:cie-10-es", "I63.9"),
        ("http://www.saude.gov.br/fhir/r4/CodeSystem/BRCID10", "I639"),
        ("http://hl7.org/fhir/sid/icd-10-uk", "I63.9"),
        ("http://fhir.nl/CodeSystem/ICD10-NL", "I63.9"),
        ("urn:oid:2.16.840.1.113883.6.135", "I63.9"),
        ("urn:oid:2.16.578.1.12.4.1.1.7110", "I639"),
        ("http://snomed.info/sct", "432504007"),
        ("http://snomed.info/sct/900000000000207008", "230690007"),
        ("urn:oid:2.16.840.1.113883.6.96", "230690007"),
    ],
)
def test_a_stroke_in_any_usual_code_gives_the_onset(
    decide: Any, stroke: Any, system: str, code: str
) -> None:
    assert decide([stroke(code, system)]).of(ONSET) == [("2024-03-01", None)]


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD, "I69.3"),
        (ICD, "J18.9"),
        (f"{ICD}-cm", "Z86.73"),
        (f"{ICD}-pcs", "I630000"),
        ("http://www.cms.gov/ICD10PCS", "I63"),
        ("http://hl7.org/fhir/sid/icd-11", "I63.9"),
        ("http://example.test/cim-9", "I63.9"),
        ("http://hl7.org/fhir/sid/icd-9-cm", "I63"),
        ("http://snomed.info/sct", "38341003"),
        ("http://example.test", "230690007"),
    ],
)
def test_another_condition_does_not(decide: Any, stroke: Any, system: str, code: str) -> None:
    got = decide([stroke(code, system)])
    assert got.of(ONSET) == []
    assert "onset" in got.said


def status(kind: str, code: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/condition-"
    end = "ver-status" if kind == "verificationStatus" else "clinical"
    return {kind: {"coding": [{"system": f"{system}{end}", "code": code}]}}


@pytest.mark.parametrize("code", ["active", "recurrence", "relapse", "inactive", "resolved"])
def test_a_stroke_that_happened_counts(decide: Any, stroke: Any, code: str) -> None:
    assert decide([stroke(**status("clinicalStatus", code))]).of(ONSET) == [("2024-03-01", None)]


@pytest.mark.parametrize(
    "changes",
    [
        *(status("clinicalStatus", code) for code in ("remission",)),
        *(
            status("verificationStatus", code)
            for code in ("refuted", "entered-in-error", "unconfirmed", "provisional",
                         "differential")
        ),
        {"verificationStatus": {"text": "refuted"}},
    ],
)  # fmt: skip
def test_a_stroke_in_doubt_does_not_and_its_status_is_named(
    decide: Any, stroke: Any, changes: dict[str, Any]
) -> None:
    got = decide([stroke(**changes)])
    assert got.of(ONSET) == []
    (concept,) = changes.values()
    word = concept.get("text") or concept["coding"][0]["code"]
    assert word in got.said
    assert "onset" in got.said
    # Beside one that is sure it changes nothing.
    sure = stroke(id="c2", onsetDateTime="2024-02-01")
    assert decide([stroke(**changes), sure]).of(ONSET) == [("2024-02-01", None)]


@pytest.mark.parametrize(("letter", "counts"), [("G", True), ("V", False), ("A", False)])
def test_a_german_code_has_its_certainty(
    decide: Any, stroke: Any, letter: str, counts: bool
) -> None:
    certainty = {
        "url": "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit",
        "valueCoding": {"code": letter},
    }
    coding = {
        "system": "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "code": "I63.9",
        "extension": [certainty],
    }  # fmt: skip
    assert bool(decide([{**stroke(), "code": {"coding": [coding]}}]).of(ONSET)) is counts


def test_what_may_stand_for_the_onset_is_declared(decide: Any, stroke: Any) -> None:
    without = {"onsetDateTime": None, "recordedDate": "2024-03-04"}
    period = stroke(**without, onsetPeriod={"start": "2024-03-02"})
    assert decide([period]).of(ONSET) == [("2024-03-02", None)]
    recorded = stroke(**without)
    assert decide([recorded]).of(ONSET) == []
    declared = STROKE.model_copy(update={"fallbacks": ("onsetPeriod", "recordedDate")})
    assert decide([recorded], onset=declared).of(ONSET) == [("2024-03-04", None)]
    for other in ({"onsetString": "last spring"}, {"onsetAge": {"value": 60, "code": "a"}}):
        got = decide([stroke(**without, **other)])
        assert got.of(ONSET) == []
        assert "without a date of its onset" in got.said
    month = decide([stroke(onsetDateTime="2024-03")])
    assert month.of(ONSET) == []
    assert "onset is not known" in month.said


def test_a_site_may_name_other_diagnoses(decide: Any, stroke: Any) -> None:
    hip = OnsetCodes(condition="hip fracture", icd10=("S72",), snomed=("359817006",))
    given = [stroke("S72.0", ICD), stroke(id="c2", onsetDateTime="2020-01-01")]
    assert decide(given, onset=hip).of(ONSET) == [("2024-03-01", None)]


@pytest.mark.parametrize(
    ("died", "day"),
    [
        ({"deceasedDateTime": "2024-03-10"}, "2024-03-10"),
        ({"deceasedDateTime": "2024"}, ""),
        ({"deceasedBoolean": True}, ""),
    ],
)
def test_a_death_is_known_even_without_its_day(
    read: Any, written: Any, died: Any, day: str
) -> None:
    reading = read(written({"resourceType": "Patient", "id": "p1", **died}))
    (time,) = reconcile([reading.records]).deaths.values()
    assert (f"{time:%Y-%m-%d}" if day else "") == day
    alive = {"resourceType": "Patient", "id": "p1", "deceasedBoolean": False, "gender": "male"}
    assert deaths(read(written(alive)).records) == {}


def test_a_record_out_of_use_is_named(decide: Any) -> None:
    merged = {
        "resourceType": "Patient", "id": "p1", "gender": "male", "active": False,
        "link": [{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}],
    }  # fmt: skip
    said = decide([merged]).said
    assert "active = false" in said
    assert "replaced by another" in said


@pytest.mark.parametrize(
    "died",
    [
        {"deceasedBoolean": True},
        {"deceasedDateTime": "2024-05-01"},
        {"deceasedBoolean": "true"},
        {"deceasedBoolean": 1},
    ],
)
@pytest.mark.parametrize(
    "invalid", [{"gender": 5}, {"birthDate": "01.02.1960"}, {"name": "Jane"}, {"link": [{}]}]
)
def test_a_death_counts_whatever_else_is_wrong_with_the_patient(
    died: dict[str, Any], invalid: dict[str, Any]
) -> None:
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1960-01-01", **invalid, **died}
    reading = read_documents(
        SourceFile(path=Path("x"), name="f", subject_label=""), [("*", patient)]
    )
    (dropped,) = reading.dropped
    assert "not FHIR R4" in dropped.found or "cannot be understood" in dropped.found
    assert list(deaths(reading.records)) == ["p1"]
    # Nothing else of it is believed.
    assert set(reading.records[CODE]) == {DEATH}


@pytest.mark.parametrize("alive", [{}, {"deceasedBoolean": False}, {"deceasedBoolean": "false"}])
def test_an_invalid_patient_who_is_not_said_to_have_died_has_not(alive: dict[str, Any]) -> None:
    patient = {"resourceType": "Patient", "id": "p1", "gender": 5, **alive}
    reading = read_documents(
        SourceFile(path=Path("x"), name="f", subject_label=""), [("*", patient)]
    )
    assert deaths(reading.records) == {}


def test_a_system_made_to_be_searched_for_long_is_not(decide: Any, stroke: Any) -> None:
    started = time.process_time()
    assert decide([stroke("I63.9", "icd10" * 200_000 + "pcs")]).said
    assert time.process_time() - started < 1
