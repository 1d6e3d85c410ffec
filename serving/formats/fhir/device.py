"""FHIR R4 out: who made a forecast, by the profiles of HL7 AI Transparency on FHIR (STU1 ballot).

A Device that is an artificial intelligence, its model card as a DocumentReference, and the
Provenance of what it asserted.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from serving.formats.formatting import scope_sentence
from serving.schemas import ForecastAnswer

AI_LABEL = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
GUIDE = "http://hl7.org/fhir/uv/aitransparency"
DEVICE_TYPES = f"{GUIDE}/CodeSystem/AIdeviceTypeCS"
CARD_TYPES = f"{GUIDE}/CodeSystem/AIinputsCS"
PARTICIPANTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
ARTIFICIAL = {
    "coding": [
        {
            "system": DEVICE_TYPES,
            "code": "Artificial-Intelligence",
            "display": "All kinds of Artificial Intelligence",
        }
    ]
}
MACHINE_LEARNING = {
    "coding": [
        {
            "system": DEVICE_TYPES,
            "code": "Machine-Learning-Models",
            "display": "Machine Learning Models",
        }
    ]
}


def labelled(profile: str = "") -> dict[str, Any]:
    """Return the meta element of what was asserted by artificial intelligence."""
    named = {"profile": [f"{GUIDE}/StructureDefinition/{profile}"]} if profile else {}
    return {**named, "security": [AI_LABEL]}


def device(answer: ForecastAnswer, card_url: str) -> dict[str, Any]:
    """Return the model as a Device."""
    model = answer.model
    extension = f"{GUIDE}/StructureDefinition/aitransparency"
    return {
        "resourceType": "Device",
        "meta": labelled("AI-Device"),
        "extension": [
            {"url": f"{extension}.AIKind", "valueCodeableConcept": MACHINE_LEARNING},
            {
                "url": f"{extension}.modelCardDescription",
                "valueReference": {"reference": card_url},
            },
        ],
        "identifier": [{"system": "urn:rehabcast:bundle", "value": model.bundle_digest}],
        "manufacturer": "rehabcast",
        "deviceName": [{"name": f"rehabcast {model.model_version}", "type": "model-name"}],
        "type": ARTIFICIAL,
        "version": [{"value": model.model_version}],
        "note": [
            {"text": f"audit {model.audit_outcome}, report {model.report_digest}"},
            *({"text": sentence} for sentence in [scope_sentence(model).strip()] if sentence),
            {"text": f"valid until {model.valid_until}"},
        ],
    }


def model_card(answer: ForecastAnswer, card: str) -> dict[str, Any]:
    """Return the model card, with the limits of use in front."""
    limits = "\n".join(f"- {limit}" for limit in answer.limits)
    text = f"# Limits of use\n\n{limits}\n\n{card}".strip()
    return {
        "resourceType": "DocumentReference",
        "meta": {"profile": [f"{GUIDE}/StructureDefinition/AI-ModelCard"]},
        "identifier": [{"system": "urn:rehabcast:bundle", "value": answer.model.bundle_digest}],
        "status": "current",
        "type": {"coding": [_of_card("AIModelCard", "AI Model-Card")]},
        "category": [{"coding": [_of_card("AIModelCardMarkdownFormat", "Markdown Format")]}],
        "content": [
            {
                "attachment": {
                    "contentType": "text/markdown",
                    "data": b64encode(text.encode()).decode(),
                }
            }
        ],
    }


def _of_card(code: str, display: str) -> dict[str, str]:
    return {"system": CARD_TYPES, "code": code, "display": display}


def provenance(
    answer: ForecastAnswer,
    now: datetime,
    *,
    targets: Sequence[str],
    device_url: str,
    card_url: str,
    inputs: Sequence[dict[str, str]],
) -> dict[str, Any]:
    """Return what made the resources, of what.

    Parameters
    ----------
    targets, device_url, card_url
        The resources, who made them, and its model card.
    inputs
        References to what it was made from.
    """
    author = {"system": PARTICIPANTS, "code": "author", "display": "Author"}
    report = {"system": "urn:rehabcast:audit-report", "value": answer.model.report_digest}
    return {
        "resourceType": "Provenance",
        "meta": labelled("AI-Provenance"),
        "target": [{"reference": target} for target in targets],
        "recorded": now.isoformat(timespec="seconds"),
        "reason": [{"coding": [AI_LABEL]}],
        "agent": [
            {
                "type": {"coding": [author]},
                "role": [ARTIFICIAL],
                "who": {"reference": device_url},
            }
        ],
        "entity": [
            {"role": "derivation", "what": {"reference": card_url}},
            *({"role": "source", "what": reference} for reference in inputs),
            {"role": "source", "what": {"identifier": report}},
        ],
    }
