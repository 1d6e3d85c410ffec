"""FHIR R4 out: an answer becomes a RiskAssessment.

The output is a Bundle of the RiskAssessment, the Device that made it and its Provenance, each
labelled as asserted by artificial intelligence (HL7 AI Transparency on FHIR; v3-ObservationValue
AIAST).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contracts.errors import RehabcastError
from serving.forecast.audit_status import NOT_TO_WITHHOLD_THERAPY
from serving.formats.formatting import (
    formatted_change,
    formatted_horizon,
    formatted_score,
    scope_sentence,
    start_sentence,
)
from serving.schemas import ForecastAnswer, HorizonForecast

AI_LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
MAX_BASIS = 200
"""Observations that are listed as basis; more would only make the answer longer."""


def risk_assessment(
    answer: ForecastAnswer, patient: str, bundle: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """Write a forecast as a Bundle of RiskAssessment, Device and Provenance.

    Parameters
    ----------
    patient
        The patient's id, or address.
    bundle
        What was asked with: its Observations are the basis.
    """
    assessment_url = f"urn:uuid:{_uuid(answer.forecast_id)}"
    device_url = f"urn:uuid:{_uuid(answer.model.bundle_digest[:32])}"
    meta = {"security": [AI_LABEL]}
    notes = [start_sentence(answer)]
    notes += [_horizon_note(answer, horizon) for horizon in answer.horizons]
    assessment = {
        "resourceType": "RiskAssessment",
        "id": _uuid(answer.forecast_id),
        "meta": meta,
        "status": "final",
        "subject": {"reference": patient if "/" in patient else f"Patient/{patient}"},
        "occurrenceDateTime": now.isoformat(timespec="seconds"),
        "performer": {"reference": device_url},
        "method": {"text": f"rehabcast {answer.model.model_version}"},
        "basis": [{"reference": f"Observation/{identity}"} for identity in _basis(bundle)],
        "prediction": [p for horizon in answer.horizons for p in _predictions(answer, horizon)],
        "mitigation": NOT_TO_WITHHOLD_THERAPY,
        "note": [{"text": text} for text in [*notes, *_notes(answer)]],
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": now.isoformat(timespec="seconds"),
        "entry": [
            {"fullUrl": assessment_url, "resource": {k: v for k, v in assessment.items() if v}},
            {"fullUrl": device_url, "resource": _device(answer, meta)},
            {"resource": _provenance(answer, assessment_url, device_url, meta, now)},
        ],
    }


def operation_outcome(refusal: RehabcastError, code: str) -> dict[str, Any]:
    """Write a refusal as an OperationOutcome: the reason as its text, the sentence in full beside.

    An OperationOutcome has no element for advice, so `diagnostics` says what to do.

    Parameters
    ----------
    code
        What kind of issue it is, of HL7's value set issue-type.
    """
    issue = {
        "severity": "error",
        "code": code,
        "details": {"text": refusal.reason},
        "diagnostics": str(refusal),
    }
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _predictions(answer: ForecastAnswer, horizon: HorizonForecast) -> list[dict[str, Any]]:
    days = {"start": answer.as_of, "end": horizon.calendar_date}
    period = {name: day.isoformat() for name, day in days.items() if day is not None}
    return [
        {
            "outcome": {"text": name},
            "probabilityDecimal": round(chance, 4),
            **({"whenPeriod": period} if period else {}),
        }
        for name, chance in horizon.milestones.items()
    ]


def _horizon_note(answer: ForecastAnswer, horizon: HorizonForecast) -> str:
    low, median, high = (
        formatted_score(answer, score)
        for score in (horizon.low_80, horizon.median, horizon.high_80)
    )
    return (
        f"Week {formatted_horizon(horizon)}: {answer.instrument} most likely {median},"
        f" in 8 of 10 patients like this one {low} to {high}"
    )


def _notes(answer: ForecastAnswer) -> list[str]:
    contributions = []
    if (reasons := answer.reasons) is not None:
        contributions = [
            f"{contribution.modality}, {contribution.window}:"
            f" {formatted_change(answer, contribution.points)} {reasons.unit}"
            for contribution in reasons.contributions
            if contribution.observed
        ]
    groups = [group.statement for group in answer.groups]
    return [
        text
        for text in (
            answer.banner,
            *answer.in_words,
            *contributions,
            *groups,
            *answer.notes,
            *answer.limits,
        )
        if text
    ]


def _basis(bundle: dict[str, Any]) -> list[str]:
    resources = (entry.get("resource") for entry in bundle["entry"] if isinstance(entry, dict))
    ids = (
        str(resource["id"])
        for resource in resources
        if isinstance(resource, dict)
        and resource.get("resourceType") == "Observation"
        and resource.get("id")
    )
    # Several versions of one Observation are one.
    return list(dict.fromkeys(ids))[:MAX_BASIS]


def _device(answer: ForecastAnswer, meta: dict[str, Any]) -> dict[str, Any]:
    model = answer.model
    return {
        "resourceType": "Device",
        "meta": meta,
        "identifier": [{"system": "urn:rehabcast:bundle", "value": model.bundle_digest}],
        "deviceName": [{"name": f"rehabcast {model.model_version}", "type": "model-name"}],
        "version": [{"value": model.model_version}],
        "note": [
            {"text": f"audit {model.audit_outcome}, report {model.report_digest}"},
            *({"text": sentence} for sentence in [scope_sentence(model).strip()] if sentence),
            {"text": f"valid until {model.valid_until}"},
        ],
    }


def _provenance(
    answer: ForecastAnswer,
    assessment_url: str,
    device_url: str,
    meta: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    return {
        "resourceType": "Provenance",
        "meta": meta,
        "target": [{"reference": assessment_url}],
        "recorded": now.isoformat(timespec="seconds"),
        "agent": [{"who": {"reference": device_url}}],
        "entity": [
            {"role": "source", "what": {"identifier": {"value": answer.model.report_digest}}}
        ],
    }


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
