"""FHIR R4 out: the answers of every model in service in one Bundle, and why one has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from contracts.errors import ForecastRefused
from serving.faults import Fault
from serving.formats.fhir.assessment import operation_outcome
from serving.instruments import EACH_BY_ITSELF

TASK, MODEL = "urn:rehabcast:task", "urn:rehabcast:model"
"""What the tag of an OperationOutcome names."""


def every_instrument(
    said: Sequence[dict[str, Any]],
    refused: Mapping[str, Fault],
    missing: Mapping[str, Fault],
    now: datetime,
) -> dict[str, Any]:
    """Put the Bundles of several forecasts into one, each entry as it is where asked for alone.

    Parameters
    ----------
    said
        As of `risk_assessment`; resources of the request that several refer to are there once.
    refused, missing
        Why there is no forecast of a task, and why a model is not in service: an OperationOutcome
        each, tagged with its name.
    """
    entries = {each["fullUrl"]: each for document in said for each in document["entry"]}
    outcomes = [
        {
            **operation_outcome(ForecastRefused(why.reason, why.what_to_do), "business-rule"),
            "meta": {"tag": [{"system": system, "code": name}]},
        }
        for system, faults in ((TASK, refused), (MODEL, missing))
        for name, why in faults.items()
    ]
    if len(said) > 1:
        issue = {
            "severity": "information",
            "code": "informational",
            "details": {"text": EACH_BY_ITSELF},
        }
        outcomes.append({"resourceType": "OperationOutcome", "issue": [issue]})
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": now.isoformat(timespec="seconds"),
        "entry": [
            *entries.values(),
            *({"fullUrl": f"urn:uuid:{uuid4()}", "resource": outcome} for outcome in outcomes),
        ],
    }
