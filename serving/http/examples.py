"""Example requests: shown in the OpenAPI document, and sent by the tests.

They are written as of `WRITTEN`, and `examples_of` brings them forward: some weeks later a record
of a fixed day is too old to be forecast from.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from serving.formats.cds.hooks import SERVICE

SCORE = "REHABCAST//FUGL_MEYER_UE"
OBSERVATIONS: list[dict[str, Any]] = [
    {"code": SCORE, "day_since_onset": 10, "value": 22},
    {"code": "REHABCAST//AGE", "value": 68},
    {"code": "REHABCAST//SEX", "label": "female"},
]
RECORD: dict[str, Any] = {"subject": "P-1", "enrolment_day": 10, "observations": OBSERVATIONS}

WRITTEN = "2026-01-16"
"""Day of the examples' dates: a day after their score, and 11 days after their onset."""

PATIENT = {
    "resourceType": "Patient",
    "id": "1288992",
    "gender": "female",
    "birthDate": "1957-03-01",
}
CONDITION = {
    "resourceType": "Condition",
    "id": "stroke",
    "subject": {"reference": "Patient/1288992"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "230690007"}]},
    "onsetDateTime": "2026-01-05",
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "fugl-meyer-1",
    "status": "final",
    "code": {"coding": [{"system": "urn:rehabcast:vocabulary", "code": "FUGL_MEYER_UE"}]},
    "subject": {"reference": "Patient/1288992"},
    "effectiveDateTime": "2026-01-15",
    "valueQuantity": {"value": 22, "system": "http://unitsofmeasure.org", "code": "{score}"},
}
BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"resource": resource} for resource in (PATIENT, CONDITION, OBSERVATION)],
}
SESSIONS: dict[str, Any] = {
    "resourceType": "Procedure",
    "id": "session-1",
    "status": "completed",
    "subject": {"reference": "Patient/1288992"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91251008"}]},
    "performedPeriod": {"start": "2026-01-14T09:00:00Z", "end": "2026-01-14T10:00:00Z"},
}


def _activity(sessions: int, start: str, end: str = "") -> dict[str, Any]:
    """Return sessions of an hour of physiotherapy, so many a week."""
    bounds = {"start": start} | ({"end": end} if end else {})
    return {
        "detail": {
            "status": "not-started",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91251008"}]},
            "scheduledTiming": {
                "repeat": {
                    "boundsPeriod": bounds, "frequency": sessions, "period": 1, "periodUnit": "wk",
                    "duration": 60, "durationUnit": "min",
                }
            },
        }
    }  # fmt: skip


CARE_PLAN: dict[str, Any] = {
    "resourceType": "CarePlan",
    "id": "more",
    "status": "draft",
    "intent": "proposal",
    "title": "four weeks of more",
    "subject": {"reference": "Patient/1288992"},
    "period": {"start": "2026-01-16"},
    "activity": [_activity(7, "2026-01-16", "2026-02-12"), _activity(3, "2026-02-13")],
}
"""The same as the plan of `/v1/whatif`, from `WRITTEN` on."""

BUNDLE_WITH_PLANS: dict[str, Any] = {
    **BUNDLE,
    "entry": [*BUNDLE["entry"], {"resource": SESSIONS}, {"resource": CARE_PLAN}],
}

HOOK: dict[str, Any] = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "fhirServer": "https://launch.smarthealthit.org/v/r4/fhir",
    "context": {"userId": "Practitioner/example", "patientId": "1288992"},
    "prefetch": {
        "patient": PATIENT,
        "conditions": {
            "resourceType": "Bundle", "type": "searchset", "entry": [{"resource": CONDITION}],
        },
        "observations": {
            "resourceType": "Bundle", "type": "searchset", "entry": [{"resource": OBSERVATION}],
        },
        "procedures": {"resourceType": "Bundle", "type": "searchset"},
    },
}  # fmt: skip
"""As the specification's sandbox sends it (patient-view, SMART Health IT's test patient)."""

STEPS: dict[str, Any] = {
    "header": {
        "uuid": "6c1a3b0e-7f60-4d52-a4a5-0d9f5a1c2b33",
        "schema_id": {"namespace": "ieee", "name": "physical-activity", "version": "1.0"},
        "source_creation_date_time": "2026-01-15T11:00:00Z",
        "modality": "sensed",
    },
    "body": {
        "activity_name": "walking",
        "base_movement_quantity": {"value": 640, "unit": "steps"},
        "effective_time_frame": {
            "time_interval": {
                "start_date_time": "2026-01-15T10:00:00+01:00",
                "end_date_time": "2026-01-15T11:00:00+01:00",
            }
        },
    },
}

EXAMPLES: dict[str, Any] = {
    "/v1/forecast": RECORD,
    "/v1/forecasts": {"requests": [RECORD, {**RECORD, "subject": "P-2"}]},
    "/v1/instruments": RECORD,
    "/v1/explain": {**RECORD, "output": "FM-UE 50 or more", "explain_horizon_weeks": 26},
    "/v1/whatif": {
        **RECORD,
        "plans": [
            {
                "name": "four weeks of more",
                "parts": [
                    {"hours_a_week": {"therapy": 7}, "days": 28},
                    {"hours_a_week": {"therapy": 3}},
                ],
            },
        ],
        "last_weeks": {"adherence": [0.9, 0.85], "danger_signs": []},
    },
    "/v1/observations": RECORD,
    "/v1/subjects/{subject}/points": [STEPS],
    "/v1/alerts/decisions": {
        "subject": "P-1",
        "alert": f"score fell:{SCORE}",
        "decision": "acknowledged",
        "by": "Dr Mia Moor",
        "reason": "seen today: a fall, no fracture, assessed again on Monday",
    },
    "/v1/feedback": {
        "forecast_id": "0" * 32,
        "outcome": "overridden",
        "reason": "the arm was in a cast",
    },
    "/v1/corrections": {
        "subject": "P-3",
        "corrections": [{"code": SCORE, "day_since_onset": 10, "value": 25}],
        "reason": "22 was the score of the other arm",
    },
    "/v1/fhir/forecast": BUNDLE,
    "/fhir/$evaluate": {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "bundle", "resource": BUNDLE},
            {"name": "asOf", "valueDate": WRITTEN},
            {"name": "condition", "valueString": "stroke"},
        ],
    },
    "/v1/fhir/whatif": BUNDLE_WITH_PLANS,
    "/fhir/$whatif": {
        "resourceType": "Parameters",
        "parameter": [{"name": "bundle", "resource": BUNDLE_WITH_PLANS}],
    },
    f"/cds-services/{SERVICE}": HOOK,
    f"/cds-services/{SERVICE}/feedback": {
        "feedback": [
            {
                "card": "00000000-0000-0000-0000-000000000000",
                "outcome": "overridden",
                "overrideReason": {"reason": {"code": "knows-better"}},
                "outcomeTimestamp": "2026-01-15T09:00:00Z",
            }
        ]
    },
}


def examples_of(day: date) -> dict[str, Any]:
    """Return the examples by path, as if they had been written on a day."""
    moved: dict[str, Any] = brought_forward(EXAMPLES, WRITTEN, day)
    return moved


def brought_forward(body: Any, written: str, to: date) -> Any:
    """Return a request that was written on one day as if it had been written on another.

    Only dates of the same year are moved: those of birth, and of a condition of years ago, stay.
    """
    later = to - date.fromisoformat(written)

    def moved(found: re.Match[str]) -> str:
        return (date.fromisoformat(found[0]) + later).isoformat()

    return json.loads(re.sub(rf"{written[:4]}-\d\d-\d\d", moved, json.dumps(body)))
