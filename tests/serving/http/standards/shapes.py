"""Requests as record systems write them, of our own making: whose they are and when is changed.

The public sandbox of CDS Hooks, one like Epic's and one like Oracle Health's
(patient-view, CDS Hooks 2.0).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

PATIENT = "e4.Ztk-77"
STROKE = ("http://snomed.info/sct", "230690007")
HIP = ("http://snomed.info/sct", "5913000")


def day(days_ago: int) -> str:
    """Return a date so many days ago."""
    return (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()


def patient(**more: Any) -> dict[str, Any]:
    born = {"gender": "female", "birthDate": "1957-03-01"}
    return {"resourceType": "Patient", "id": PATIENT, **born, **more}


def condition(coding: tuple[str, str] = STROKE, *, of: str = PATIENT, **more: Any) -> Any:
    return {
        "resourceType": "Condition", "id": "c1", "subject": {"reference": f"Patient/{of}"},
        "code": {"coding": [{"system": coding[0], "code": coding[1]}]},
        "onsetDateTime": day(20), **more,
    }  # fmt: skip


def status(verification: str = "", clinical: str = "") -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/condition-"
    told = {
        "verificationStatus": ("ver-status", verification),
        "clinicalStatus": ("clinical", clinical),
    }
    return {
        name: {"coding": [{"system": system + end, "code": code}]}
        for name, (end, code) in told.items()
        if code
    }  # fmt: skip


def score(value: float = 22, *, days_ago: int = 3, of: str = PATIENT, **more: Any) -> Any:
    return {
        "resourceType": "Observation", "id": f"o{days_ago}", "status": "final",
        "code": {"coding": [{"system": "urn:rehabcast:vocabulary", "code": "FUGL_MEYER_UE"}]},
        "subject": {"reference": f"Patient/{of}"}, "effectiveDateTime": day(days_ago),
        "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "{score}"},
        **more,
    }  # fmt: skip


def searchset(*resources: Any, **more: Any) -> dict[str, Any]:
    found = {"entry": [{"resource": each} for each in resources]} if resources else {}
    return {"resourceType": "Bundle", "type": "searchset", "total": len(resources), **found, **more}


def prefetch(**more: Any) -> dict[str, Any]:
    return {
        "patient": patient(), "conditions": searchset(condition()),
        "observations": searchset(score()), "procedures": None, **more,
    }  # fmt: skip


def sandbox(fetched: dict[str, Any] | None = None) -> dict[str, Any]:
    """As the public sandbox sends it: a FHIR server always, no encounter, prefetch never null."""
    held = {key: value for key, value in (fetched or prefetch()).items() if value is not None}
    return {
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "hook": "patient-view",
        "fhirServer": "https://launch.smarthealthit.org/v/r4/fhir",
        "context": {"patientId": PATIENT, "userId": "Practitioner/COREPRACTITIONER1"},
        "prefetch": held,
    }


def like_epic(fetched: dict[str, Any] | None = None) -> dict[str, Any]:
    """Like Epic's: extensions, a UUID without a version, an encounter, a role as the user."""
    return {
        "hookInstance": "00000000-007b-9f33-e810-e841a57c502c",
        "hook": "patient-view",
        "fhirServer": "https://epic.hospital.test/interconnect/api/FHIR/R4",
        "fhirAuthorization": {
            "access_token": "not-a-token", "token_type": "Bearer", "expires_in": 300,
            "scope": "patient/Patient.read", "subject": "cds-service",
        },
        "extension": {
            "com.epic.cdshooks.request.bpa-trigger-action": "60",
            "com.epic.cdshooks.request.criteria-id": "99013",
            "com.epic.cdshooks.request.epic-version": "11.4",
            "com.epic.cdshooks.request.fhir-version": "R4",
        },
        "context": {"patientId": PATIENT, "userId": "PractitionerRole/eabc", "encounterId": "e9"},
        "prefetch": fetched or prefetch(),
    }  # fmt: skip


def like_oracle(fetched: dict[str, Any] | None = None) -> dict[str, Any]:
    """Like Oracle Health's: absolute references, and an outcome of the search in its result."""
    base = "https://fhir.hospital.test/r4/tenant"
    told = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "information", "code": "informational"}],
    }
    held = dict(fetched or prefetch())
    for key in ("conditions", "observations"):
        bundle = held[key]
        entries = [
            {
                "fullUrl": f"{base}/{each['resource']['resourceType']}/{each['resource']['id']}",
                "resource": {
                    **each["resource"],
                    "subject": {"reference": f"{base}/{each['resource']['subject']['reference']}"},
                },
                "search": {"mode": "match"},
            }
            for each in (bundle or {}).get("entry", [])
        ]
        if bundle is not None:
            held[key] = {
                **bundle,
                "entry": [*entries, {"resource": told, "search": {"mode": "outcome"}}],
            }
    return {
        "hookInstance": "5d7f2b0c-3f0e-4c63-9b39-0d1f1c0d3b1a",
        "hook": "patient-view",
        "fhirServer": base,
        "context": {"patientId": PATIENT, "userId": "Practitioner/12742069", "encounterId": "97"},
        "prefetch": held,
    }  # fmt: skip


SHAPES = (sandbox, like_epic, like_oracle)
