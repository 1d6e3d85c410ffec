"""The model card as an HL7 FHIR R4 DocumentReference, the CHAI card attached."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from audits.report.content import Report


def document_reference(report: Report, card: bytes) -> dict[str, Any]:
    """Return the DocumentReference of a model card.

    Parameters
    ----------
    report, card
        What was audited, and its CHAI card as XML.
    """
    verdict = report.verdict
    return {
        "resourceType": "DocumentReference",
        "meta": {
            "security": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
                    "code": "AIAST",
                    "display": "Artificial Intelligence asserted",
                }
            ],
            **({"tag": [_SIMULATED]} if verdict.simulated else {}),
        },
        "identifier": [
            {"system": "urn:ietf:rfc:3986", "value": f"urn:sha256:{verdict.bundle_digest}"}
        ],
        "status": "current",
        "docStatus": "final",
        "type": {"text": "AI model card"},
        "date": report.made_at,
        "description": f"{verdict.model_version}: audit {verdict.outcome}, valid until"
        f" {report.valid_until}",
        "content": [
            {
                "attachment": {
                    "contentType": "application/xml",
                    "language": "en",
                    "title": "CHAI applied model card",
                    "creation": report.made_at,
                    "size": len(card),
                    # FHIR R4 asks for SHA-1 here; the digests that count are SHA-256.
                    "hash": base64.b64encode(
                        hashlib.sha1(card, usedforsecurity=False).digest()
                    ).decode(),
                    "data": base64.b64encode(card).decode(),
                }
            }
        ],
    }


_SIMULATED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
