"""FHIR R4 out: an answer becomes a RiskAssessment.

The output is a Bundle of the RiskAssessment, the Device that made it, its Provenance and model
card, each but the card labelled as asserted by artificial intelligence (HL7 AI Transparency on
FHIR), and of what they refer to the resources that have no address of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from contracts.errors import RehabcastError
from contracts.task import Target
from serving.forecast.audit_status import Standing
from serving.formats.fhir.device import device, labelled, model_card, provenance
from serving.formats.fhir.evidence import References
from serving.formats.fhir.predictions import predictions
from serving.formats.formatting import (
    formatted_horizon,
    said_change,
    said_range,
    said_score,
    start_sentence,
)
from serving.schemas import ForecastAnswer, HorizonForecast


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

    def inputs(self) -> list[dict[str, str]]:
        """Return references to the resources that were used."""
        return [self.references.to(record_id) for record_id in self.used]

    def condition(self) -> dict[str, str] | None:
        """Return the reference to the Condition; None where none was used."""
        found = next((each for each in self.used if "Condition/" in f"/{each}"), None)
        return None if found is None else self.references.to(found)


def risk_assessment(answer: ForecastAnswer, basis: Basis, now: datetime) -> dict[str, Any]:
    """Write a forecast as a Bundle of RiskAssessment, Device, Provenance and model card."""
    own = address_of(answer)
    inputs = basis.inputs()
    notes = [start_sentence(answer)]
    notes += [_horizon_note(answer, horizon) for horizon in answer.horizons]
    assessment = {
        **said_by(answer, basis, now, url=own, status="final"),
        "basis": inputs,
        "prediction": [
            prediction
            for horizon in answer.horizons
            for prediction in predictions(answer, horizon, horizon.calendar_date, basis.target)
        ],
        "mitigation": str(Standing.THERAPY),
        "note": [{"text": text} for text in _notes(answer, notes)],
    }
    return collected(answer, basis, now, {own: assessment})


def address_of(answer: ForecastAnswer, part: str = "") -> str:
    """Return the address of what an answer asserts, in its Bundle; of its parts one each."""
    own = f"urn:uuid:{_uuid(answer.forecast_id)}"
    return own if not part else f"urn:uuid:{uuid5(NAMESPACE_URL, own + part)}"


def device_address(answer: ForecastAnswer) -> str:
    """Return the address of the model that answered."""
    return f"urn:uuid:{_uuid(answer.model.bundle_digest[:32])}"


def said_by(
    answer: ForecastAnswer, basis: Basis, now: datetime, *, url: str, status: str
) -> dict[str, Any]:
    """Return what every RiskAssessment says of itself: of whom, by what, and when.

    Parameters
    ----------
    url
        Its address.
    status
        FHIR R4, observation-status.
    """
    return {
        "resourceType": "RiskAssessment",
        "id": url.removeprefix("urn:uuid:"),
        "meta": labelled(),
        "status": status,
        "subject": basis.references.subject(),
        "occurrenceDateTime": now.isoformat(timespec="seconds"),
        "condition": basis.condition(),
        "performer": {"reference": device_address(answer)},
        "method": {"text": f"rehabcast {answer.model.model_version}"},
    }


def collected(
    answer: ForecastAnswer, basis: Basis, now: datetime, asserted: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Put resources into a Bundle with the Device that made them, its Provenance and model card.

    Parameters
    ----------
    asserted
        What is asserted, by address; elements that hold nothing are left out.
    """
    device_url = device_address(answer)
    card_url, provenance_url = (address_of(answer, part) for part in "cp")
    made_by = provenance(
        answer, now, targets=list(asserted), device_url=device_url, card_url=card_url,
        inputs=basis.inputs(),
    )  # fmt: skip
    made = {
        **{
            url: {name: value for name, value in resource.items() if value}
            for url, resource in asserted.items()
        },
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
            *basis.references.entries(),
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


def _horizon_note(answer: ForecastAnswer, horizon: HorizonForecast) -> str:
    return (
        f"Week {formatted_horizon(horizon)}: {answer.instrument} most likely"
        f" {said_score(answer, horizon.median)}, in 8 of 10 patients like this one"
        f" {said_range(answer, horizon)}"
    )


def _notes(answer: ForecastAnswer, about: Sequence[str]) -> list[str]:
    said = [*about, answer.banner, *_reasons(answer), *standing_notes(answer)]
    return [text for text in said if text]


def _reasons(answer: ForecastAnswer) -> list[str]:
    contributions = []
    if (reasons := answer.reasons) is not None:
        contributions = [
            f"{contribution.modality}, {contribution.window}:"
            f" {said_change(answer, contribution.points)}"
            for contribution in reasons.contributions
            if contribution.observed
        ]
    return [*answer.in_words, *contributions]


def standing_notes(answer: ForecastAnswer) -> list[str]:
    """Return what must stand beside every number of an answer: audit, data, limits of use."""
    groups = [group.statement for group in answer.groups]
    return [*groups, *answer.notes, *answer.limits]


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
