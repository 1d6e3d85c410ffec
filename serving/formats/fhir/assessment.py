"""FHIR R4 out: an answer becomes a RiskAssessment.

The output is a Bundle of the RiskAssessment, the Device that made it, its Provenance and model
card, each but the card labelled as asserted by artificial intelligence (HL7 AI Transparency on
FHIR), and of what they refer to the resources that have no address of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from contracts.errors import RehabcastError
from contracts.task import Target
from contracts.vocabulary import vocabulary
from serving.forecast.audit_status import NOT_TO_WITHHOLD_THERAPY
from serving.formats.fhir.device import device, labelled, model_card, provenance
from serving.formats.fhir.evidence import References
from serving.formats.formatting import (
    formatted_change,
    formatted_horizon,
    formatted_score,
    start_sentence,
)
from serving.schemas import ForecastAnswer, HorizonForecast

OUTCOMES = "urn:rehabcast:outcome"
"""System of the codes of what is forecast: milestones, and scores that nobody has measured."""

FORECAST_SCORE = "urn:rehabcast:extension:forecast-score"
"""Extension of a prediction, which has no element for a score: `median` (Quantity), `interval`
(Range), and `coverage`, the share of people who end up inside (Quantity in %). An Observation would
come back through a search for scores as if somebody had measured it."""

UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a forecast was made from, as an answer refers to it.

    Parameters
    ----------
    references
        To the resources of the request.
    used
        Those that were used, `Kind/id`.
    card
        The model card.
    target
        What was forecast.
    """

    references: References
    used: Sequence[str]
    card: str
    target: Target


def risk_assessment(answer: ForecastAnswer, basis: Basis, now: datetime) -> dict[str, Any]:
    """Write a forecast as a Bundle of RiskAssessment, Device, Provenance and model card."""
    own = f"urn:uuid:{_uuid(answer.forecast_id)}"
    device_url = f"urn:uuid:{_uuid(answer.model.bundle_digest[:32])}"
    card_url, provenance_url = (f"urn:uuid:{uuid5(NAMESPACE_URL, own + part)}" for part in "cp")
    references = basis.references
    inputs = [references.to(record_id) for record_id in basis.used]
    condition = next((each for each in basis.used if "Condition/" in f"/{each}"), None)
    notes = [start_sentence(answer)]
    notes += [_horizon_note(answer, horizon) for horizon in answer.horizons]
    assessment = {
        "resourceType": "RiskAssessment",
        "id": _uuid(answer.forecast_id),
        "meta": labelled(),
        "status": "final",
        "subject": references.subject(),
        "occurrenceDateTime": now.isoformat(timespec="seconds"),
        "condition": None if condition is None else references.to(condition),
        "performer": {"reference": device_url},
        "method": {"text": f"rehabcast {answer.model.model_version}"},
        "basis": inputs,
        "prediction": [
            prediction
            for horizon in answer.horizons
            for prediction in _predictions(answer, horizon, basis.target)
        ],
        "mitigation": NOT_TO_WITHHOLD_THERAPY,
        "note": [{"text": text} for text in [*notes, *_notes(answer)]],
    }
    made_by = provenance(
        answer, now, target=own, device_url=device_url, card_url=card_url, inputs=inputs
    )
    made = {
        own: {name: value for name, value in assessment.items() if value},
        device_url: device(answer, card_url),
        provenance_url: made_by,
        card_url: model_card(answer, basis.card),
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": now.isoformat(timespec="seconds"),
        "entry": [
            *({"fullUrl": url, "resource": resource} for url, resource in made.items()),
            *references.entries(),
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


def _predictions(
    answer: ForecastAnswer, horizon: HorizonForecast, target: Target
) -> list[dict[str, Any]]:
    """Return the score at a horizon, and the chance of each milestone by then."""
    return [
        _score(answer, horizon, target),
        *(_chance(answer, horizon, name, chance) for name, chance in horizon.milestones.items()),
    ]


def _score(answer: ForecastAnswer, horizon: HorizonForecast, target: Target) -> dict[str, Any]:
    unit = vocabulary()[target.code].unit

    def quantity(value: float) -> dict[str, Any]:
        words = {"unit": unit.strip("{}")} if unit else {}
        coded = {"system": UCUM, "code": unit} if unit else {}
        return {"value": round(value, 4), **words, **coded}

    name = answer.instrument.partition(",")[0]
    parts = [
        {"url": "median", "valueQuantity": quantity(horizon.median)},
        {
            "url": "interval",
            "valueRange": {"low": quantity(horizon.low_80), "high": quantity(horizon.high_80)},
        },
        {"url": "coverage", "valueQuantity": _percent(80)},
    ]
    day = horizon.calendar_date
    return {
        "extension": [{"url": FORECAST_SCORE, "extension": parts}],
        "outcome": _outcome(f"{target.code.rpartition('/')[2]} score", f"{name}, score forecast"),
        **_period(day, day),
    }


def _chance(
    answer: ForecastAnswer, horizon: HorizonForecast, name: str, chance: float
) -> dict[str, Any]:
    # In per cent and as a Range, which nobody takes for a fraction (R4, ras-1 and ras-2).
    percent = _percent(round(100 * chance, 1))
    return {
        "outcome": _outcome(name, name),
        "probabilityRange": {"low": percent, "high": percent},
        **_period(answer.as_of, horizon.calendar_date),
    }


def _percent(value: float) -> dict[str, Any]:
    return {"value": value, "unit": "%", "system": UCUM, "code": "%"}


def _outcome(name: str, words: str) -> dict[str, Any]:
    code = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return {"coding": [{"system": OUTCOMES, "code": code, "display": words}], "text": words}


def _period(start: date | None, end: date | None) -> dict[str, Any]:
    days = {"start": start, "end": end}
    period = {name: day.isoformat() for name, day in days.items() if day is not None}
    return {"whenPeriod": period} if period else {}


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


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
