"""FHIR R4 in and out: a Bundle becomes a record, and an answer a RiskAssessment.

The output is a Bundle of the RiskAssessment, the Device that made it and its Provenance, each
labelled as asserted by artificial intelligence (HL7 AI Transparency on FHIR; v3-ObservationValue
AIAST).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.cohort import CODE, NUMBER, ONSET, TEXT, TIME
from contracts.errors import ForecastRefused, RehabcastError
from contracts.observation import Observation
from contracts.task import Task
from features.measurements.records import BIRTH_DATE, SUBJECT_LABEL
from features.recording import SourceFile
from features.sources.records.fhir import reading_of
from serving.forecast.audit_status import NOT_TO_WITHHOLD_THERAPY
from serving.formats.formatting import formatted_change, formatted_score
from serving.schemas import ForecastAnswer, HorizonForecast

AI_LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
DAYS_A_YEAR = 365.25
MAX_BASIS = 200
"""Observations that are listed as basis; more would only make the answer longer."""


def record_of(resources: Iterable[Any], task: Task) -> tuple[int, list[Observation]]:
    """Read resources of one patient as a record: day of enrolment, and observations.

    The enrolment is the day of the first score of the task's target since the onset.

    Raises
    ------
    ForecastRefused
        There are several patients, no single onset, or no score.
    """
    source = SourceFile(path=Path("request"), name="request", subject_label="")
    reading = reading_of(source, ((str(n), item) for n, item in enumerate(resources)))
    records = reading.records
    if records is None or records.empty:
        raise ForecastRefused(
            "the FHIR resources hold nothing that the model knows",
            "send Observations with codes of LOINC or urn:rehabcast:vocabulary",
        )
    if records[SUBJECT_LABEL].nunique() > 1:
        raise ForecastRefused(
            "the resources belong to several patients", "send the resources of one patient"
        )
    onset = records.loc[records[CODE] == ONSET, TIME]
    if len(onset) != 1:
        raise ForecastRefused(
            "the onset is not known",
            "send exactly one Condition with onsetDateTime: the one that the patient recovers from",
        )
    start = onset.iloc[0].normalize()
    observations = list(_observations(records, start))
    days = [
        observation.day_since_onset
        for observation in observations
        if observation.code == task.target.code and observation.day_since_onset is not None
    ]
    if not days:
        raise ForecastRefused(
            f"there is no score of {task.target.code!r} since the onset",
            "assess the patient first",
        )
    return min(days), observations


def resources_of(bundle: dict[str, Any]) -> list[Any]:
    """Return the resources of a Bundle.

    Raises
    ------
    ForecastRefused
        It is not a Bundle.
    """
    entries = bundle.get("entry", [])
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        raise ForecastRefused(
            "this is not a FHIR Bundle with entries", "send a Bundle with entries"
        )
    return [entry.get("resource") if isinstance(entry, dict) else None for entry in entries]


def patient_of(resources: Iterable[Any]) -> str:
    """Return the id of the first Patient; empty where there is none."""
    for resource in resources:
        if isinstance(resource, dict) and resource.get("resourceType") == "Patient":
            return str(resource.get("id") or "")
    return ""


def risk_assessment(
    answer: ForecastAnswer, patient: str, resources: Iterable[Any], now: datetime
) -> dict[str, Any]:
    """Write a forecast as a Bundle of RiskAssessment, Device and Provenance."""
    assessment_url = f"urn:uuid:{_uuid(answer.forecast_id)}"
    device_url = f"urn:uuid:{_uuid(answer.model.bundle_digest[:32])}"
    meta = {"security": [AI_LABEL]}
    notes = [_horizon_note(answer, horizon) for horizon in answer.horizons]
    assessment = {
        "resourceType": "RiskAssessment",
        "id": _uuid(answer.forecast_id),
        "meta": meta,
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "occurrenceDateTime": now.isoformat(timespec="seconds"),
        "performer": {"reference": device_url},
        "method": {"text": f"rehabcast {answer.model.model_version}"},
        "basis": [{"reference": f"Observation/{identity}"} for identity in _basis(resources)],
        "prediction": [p for horizon in answer.horizons for p in _predictions(horizon)],
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


def _observations(records: pd.DataFrame, onset: pd.Timestamp) -> Iterator[Observation]:
    for time, code, number, text in records[[TIME, CODE, NUMBER, TEXT]].itertuples(
        index=False, name=None
    ):
        if code == BIRTH_DATE:
            age = math.floor((onset - time).days / DAYS_A_YEAR)
            yield Observation(code="REHABCAST//AGE", value=float(age))
        elif pd.isna(time):
            yield Observation(code=code, value=_number(number), label=text)
        elif code != ONSET and time >= onset:
            day = (time.normalize() - onset).days
            yield Observation(code=code, day_since_onset=day, value=_number(number), label=text)


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _predictions(horizon: HorizonForecast) -> list[dict[str, Any]]:
    weeks = {
        "value": horizon.weeks,
        "unit": "weeks after enrolment",
        "system": "http://unitsofmeasure.org",
        "code": "wk",
    }
    return [
        {
            "outcome": {"text": name},
            "probabilityDecimal": round(chance, 4),
            "whenRange": {"low": {**weeks, "value": 0}, "high": weeks},
        }
        for name, chance in horizon.milestones.items()
    ]


def _horizon_note(answer: ForecastAnswer, horizon: HorizonForecast) -> str:
    low, median, high = (
        formatted_score(answer, score)
        for score in (horizon.low_80, horizon.median, horizon.high_80)
    )
    return (
        f"Week {horizon.weeks}: {answer.instrument} most likely {median},"
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
    return [text for text in (answer.banner, *contributions, *groups, *answer.limits) if text]


def _basis(resources: Iterable[Any]) -> list[str]:
    ids = [
        str(resource["id"])
        for resource in resources
        if isinstance(resource, dict)
        and resource.get("resourceType") == "Observation"
        and resource.get("id")
    ]
    return ids[:MAX_BASIS]


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
