"""FHIR R4 in and out: a Bundle becomes a record, an answer a RiskAssessment.

Out comes a Bundle of the RiskAssessment, the Device that made it and its Provenance, each labelled
as asserted by artificial intelligence (HL7 AI Transparency on FHIR; v3-ObservationValue AIAST).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.cohort import CODE, NUMBER, ONSET, TEXT, TIME
from contracts.errors import ForecastRefused
from contracts.observation import Observation
from contracts.task import Task
from features.recording import BIRTH_DATE, SUBJECT_LABEL, SourceFile
from features.sources.records.fhir import reading_of
from serving.formats.formatting import shown, signed
from serving.schemas import ForecastAnswer, HorizonForecast

AI_LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
DAYS_A_YEAR = 365.25
MOST_BASIS = 200
"""Observations that are named as basis; more would only lengthen the answer."""


def record_of(resources: Iterable[Any], task: Task) -> tuple[int, list[Observation]]:
    """Read resources of one patient as a record: day of enrolment, and observations.

    The enrolment is the day of the first score of the task's target since the onset.

    Raises
    ------
    ForecastRefused
        There are several patients, no single onset, or no score.
    """
    source = SourceFile(path=Path("request"), name="request", subject_label="")
    reading = reading_of(source, ((str(n), each) for n, each in enumerate(resources)))
    records = reading.records
    if records is None or records.empty:
        raise ForecastRefused("nothing in the FHIR resources is known here: send observations")
    if records[SUBJECT_LABEL].nunique() > 1:
        raise ForecastRefused("the resources are of several patients: send one patient's")
    onset = records.loc[records[CODE] == ONSET, TIME]
    if len(onset) != 1:
        raise ForecastRefused(
            "the onset is not known: send one Condition, the one in question, with onsetDateTime"
        )
    start = onset.iloc[0].normalize()
    observations = list(_observations(records, start))
    scored = [each.day_since_onset for each in observations if each.code == task.target.code]
    days = [day for day in scored if day is not None]
    if not days:
        raise ForecastRefused(f"no score of {task.target.code!r} since the onset: assess first")
    return min(days), observations


def resources_of(bundle: dict[str, Any]) -> list[Any]:
    """Return the resources of a Bundle, or a single resource as one.

    Raises
    ------
    ForecastRefused
        It is no Bundle.
    """
    entries = bundle.get("entry", [])
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        raise ForecastRefused("no FHIR Bundle: send one, with entries")
    return [each.get("resource") if isinstance(each, dict) else None for each in entries]


def patient_of(resources: Iterable[Any]) -> str:
    """Return the id of the first Patient; empty where there is none."""
    for each in resources:
        if isinstance(each, dict) and each.get("resourceType") == "Patient":
            return str(each.get("id") or "")
    return ""


def risk_assessment(
    answer: ForecastAnswer, patient: str, resources: Iterable[Any], now: datetime
) -> dict[str, Any]:
    """Write a forecast as a Bundle of RiskAssessment, Device and Provenance."""
    place = f"urn:uuid:{_uuid(answer.forecast_id)}"
    device = f"urn:uuid:{_uuid(answer.model.bundle_digest[:32])}"
    meta = {"security": [AI_LABEL]}
    told = [_told(answer, each) for each in answer.horizons]
    assessment = {
        "resourceType": "RiskAssessment",
        "id": _uuid(answer.forecast_id),
        "meta": meta,
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "occurrenceDateTime": now.isoformat(timespec="seconds"),
        "performer": {"reference": device},
        "method": {"text": f"rehabcast {answer.model.model_version}"},
        "basis": [{"reference": f"Observation/{each}"} for each in _basis(resources)],
        "prediction": [p for each in answer.horizons for p in _predictions(each)],
        "mitigation": answer.limits[-2] if len(answer.limits) > 1 else "",
        "note": [{"text": text} for text in [*told, *_notes(answer)]],
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": now.isoformat(timespec="seconds"),
        "entry": [
            {"fullUrl": place, "resource": {k: v for k, v in assessment.items() if v}},
            {"fullUrl": device, "resource": _device(answer, meta)},
            {"resource": _provenance(answer, place, device, meta, now)},
        ],
    }


def operation_outcome(told: str, code: str = "invalid", severity: str = "error") -> dict[str, Any]:
    """Write a refusal as FHIR has it."""
    issue = {"severity": severity, "code": code, "diagnostics": told}
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


def _told(answer: ForecastAnswer, horizon: HorizonForecast) -> str:
    return (
        f"Week {horizon.weeks}: {answer.instrument} most likely {shown(answer, horizon.median)},"
        f" in 8 of 10 patients like this one {shown(answer, horizon.low_80)} to"
        f" {shown(answer, horizon.high_80)}"
    )


def _notes(answer: ForecastAnswer) -> list[str]:
    why = []
    if (reasons := answer.reasons) is not None:
        why = [
            f"{each.modality}, {each.window}: {signed(answer, each.points)} {reasons.unit}"
            for each in reasons.contributions
            if each.observed
        ]
    groups = [each.statement for each in answer.groups]
    return [text for text in (answer.banner, *why, *groups, *answer.limits) if text]


def _basis(resources: Iterable[Any]) -> list[str]:
    ids = [
        str(each["id"])
        for each in resources
        if isinstance(each, dict) and each.get("resourceType") == "Observation" and each.get("id")
    ]
    return ids[:MOST_BASIS]


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
    answer: ForecastAnswer, place: str, device: str, meta: dict[str, Any], now: datetime
) -> dict[str, Any]:
    return {
        "resourceType": "Provenance",
        "meta": meta,
        "target": [{"reference": place}],
        "recorded": now.isoformat(timespec="seconds"),
        "agent": [{"subject_label": {"reference": device}}],
        "entity": [
            {"role": "source", "what": {"identifier": {"value": answer.model.report_digest}}}
        ],
    }


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
