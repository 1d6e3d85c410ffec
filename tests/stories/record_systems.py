"""A patient as an API client, a FHIR server or a hospital's record system would send them.

The question is asked today, so the stroke lies so many days back.
"""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from contracts.vocabulary import vocabulary
from serving.http.examples import SCORE
from tests.stories.story import Facts

CODES = {entry.name: code for code, entry in vocabulary().items()}
DIAGNOSES = {"stroke": "230690007", "hip fracture": "5913000"}


def onset(facts: Facts) -> date:
    return datetime.now(UTC).date() - timedelta(days=facts.asked)


def observations(facts: Facts) -> list[dict[str, Any]]:
    """Return the observations of a record, days counted from the onset."""
    scores = [(SCORE, day, value) for day, value in facts.scores]
    also = [(CODES[item.what], item.day, item.value) for item in facts.also]
    daily = [
        (CODES[row.what], day, row.values[n % len(row.values)])
        for row in facts.daily
        for n, day in enumerate(range(row.from_day, row.to_day + 1))
    ]
    measured: list[dict[str, Any]] = [
        {"code": code, "day_since_onset": day, "value": value}
        for code, day, value in (*scores, *also, *daily)
    ]
    person = [
        ("REHABCAST//AGE", "value", facts.age),
        ("REHABCAST//SEX", "label", facts.sex),
        ("REHABCAST//STROKE_TYPE", "label", facts.stroke_type),
    ]
    known = [{"code": code, kind: value} for code, kind, value in person if value is not None]
    return [*measured, *known]


def record(facts: Facts, subject: str) -> dict[str, Any]:
    """Return the body of `POST /v1/observations`, and most of that of `/v1/forecast`."""
    return {
        "subject": subject, "enrolment_day": facts.enrolled, "observations": observations(facts),
    }  # fmt: skip


def question(facts: Facts, subject: str) -> dict[str, Any]:
    """Return the body of `POST /v1/forecast`."""
    return {**record(facts, subject), "onset_date": onset(facts).isoformat(), "explain": False}


def bundle(facts: Facts) -> dict[str, Any]:
    """Return a Bundle of the patient, the diagnosis and the scores."""
    entries = [patient(facts), condition(facts), *scores_of(facts)]
    return {
        "resourceType": "Bundle", "type": "collection",
        "entry": [{"resource": resource} for resource in entries],
    }  # fmt: skip


def hook(facts: Facts) -> dict[str, Any]:
    """Return the request of patient-view."""
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/ward-3", "patientId": "p1"},
        "prefetch": {
            "patient": patient(facts),
            "conditions": searchset([condition(facts)]),
            "observations": searchset(scores_of(facts)) if facts.scores else None,
            "procedures": searchset([]),
        },
    }


def searchset(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle", "type": "searchset", "total": len(resources),
        "entry": [{"resource": resource} for resource in resources],
    }  # fmt: skip


def patient(facts: Facts) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    dead = facts.died_on_day
    return {
        "resourceType": "Patient",
        "id": "p1",
        **({} if facts.sex is None else {"gender": facts.sex}),
        **({} if facts.age is None else {"birthDate": f"{today.year - int(facts.age)}-01-01"}),
        **({} if dead is None else {"deceasedDateTime": day_of(facts, dead)}),
    }


def condition(facts: Facts) -> dict[str, Any]:
    terms = "http://terminology.hl7.org/CodeSystem"
    verified = {"system": f"{terms}/condition-ver-status", "code": facts.status}
    active = {"system": f"{terms}/condition-clinical", "code": "active"}
    diagnosis = {"system": "http://snomed.info/sct", "code": DIAGNOSES[facts.diagnosis]}
    # con-5 of R4: what was entered in error has no clinical status.
    in_error = facts.status == "entered-in-error"
    return {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/p1"},
        **({} if in_error else {"clinicalStatus": {"coding": [active]}}),
        "verificationStatus": {"coding": [verified]},
        "code": {"coding": [diagnosis], "text": facts.diagnosis},
        "onsetDateTime": day_of(facts, 0),
    }


def scores_of(facts: Facts) -> list[dict[str, Any]]:
    system, _, code = ("urn:rehabcast:vocabulary", "", SCORE.partition("//")[2])
    whose = "p2" if facts.another_patient else "p1"
    return [
        {
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "entered-in-error" if day in facts.marked_wrong else "final",
            "code": {"coding": [{"system": system, "code": code}]},
            "subject": {"reference": f"Patient/{whose}"},
            "effectiveDateTime": day_of(facts, day),
            "valueQuantity": {
                "value": value,
                "system": "http://unitsofmeasure.org",
                "code": "{score}",
            },
        }
        for number, (day, value) in enumerate(facts.scores)
    ]


def day_of(facts: Facts, day: int) -> str:
    return (onset(facts) + timedelta(days=day)).isoformat()
