"""Forecast and other plans as operations of FHIR R4, and the documents that say so."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from serving.formats.fhir.record import bundle_of
from serving.http.calls import Call, Reply
from serving.http.decoding import RequestInvalid
from serving.http.standards.fhir import (
    DATE,
    Answering,
    forecast_of,
    of_a_bundle,
    what_if_of,
)

BASE = "/fhir"
OPERATION = f"{BASE}/$evaluate"
DEFINITION = f"{BASE}/OperationDefinition/evaluate"
WHAT_IF = f"{BASE}/$whatif"
WHAT_IF_DEFINITION = f"{BASE}/OperationDefinition/whatif"
METADATA = f"{BASE}/metadata"

WRITTEN = "2026-11-29"
"""When these documents were last changed."""

VALUES = {"asOf": "valueDate", "condition": "valueString", "task": "valueString"}
"""Parameters beside the Bundle, and the element of `Parameters` that holds each."""

SEND_PARAMETERS = "send Parameters with one bundle, and at most one asOf, condition and task"


def evaluate(call: Call) -> Reply:
    """Give a forecast for Parameters that hold a Bundle, or for a Bundle alone."""
    return _operated(call, forecast_of)


def what_if(call: Call) -> Reply:
    """Say what other plans would change, for Parameters that hold a Bundle, or for one alone."""
    return _operated(call, what_if_of)


def _operated(call: Call, answering: Answering) -> Reply:
    if call.body.get("resourceType") != "Parameters":
        # R4 lets a single resource be the body, and the other parameters stand in the address.
        return of_a_bundle(call, answering, "asOf")
    if not call.query.keys().isdisjoint(VALUES):
        raise RequestInvalid("parameters are sent in the body and in the address", SEND_PARAMETERS)
    given = _given(call.body.get("parameter"))
    try:
        as_of = msgspec.convert(given.get("asOf"), date | None)
    except msgspec.ValidationError:
        raise RequestInvalid(f"asOf is not {DATE}") from None
    bundle = given.get("bundle")
    if not isinstance(bundle, dict):
        raise RequestInvalid("the Parameters hold no Bundle", SEND_PARAMETERS)
    return answering(
        call, bundle_of(bundle), condition=given.get("condition", ""), as_of=as_of,
        task=given.get("task", ""),
    )  # fmt: skip


def definition(call: Call) -> Reply:
    """Describe the operation of the forecast."""
    return _definition(
        call, "evaluate", "Forecast a patient's functional recovery",
        description=(
            "Takes a Bundle of one patient, returns a Bundle with a RiskAssessment, or says in"
            " an OperationOutcome why there is no forecast. Where several tasks are served"
            " and none is named, it does so for each. Changes no resource; that it was"
            " asked is put on record."
        ),
        takes="Patient, Conditions, Observations", gives="RiskAssessments, Device, Provenance",
    )  # fmt: skip


def what_if_definition(call: Call) -> Reply:
    """Describe the operation of other plans."""
    return _definition(
        call, "whatif", "Say what other plans of therapy would change for a patient",
        description=(
            "Takes a Bundle of one patient with the CarePlans that are asked about, returns a"
            " Bundle with a draft CarePlan and a preliminary RiskAssessment of each, or says in an"
            " OperationOutcome why nothing is said. The numbers are associational unless"
            " randomised, the effect of dose is from trials. Changes no resource; that it was"
            " asked is put on record."
        ),
        takes="Patient, Conditions, Observations, Procedures, CarePlans",
        gives="CarePlans, RiskAssessments, Device, Provenance",
    )  # fmt: skip


def _definition(
    call: Call, code: str, title: str, *, description: str, takes: str, gives: str
) -> Reply:
    return Reply(
        {
            "resourceType": "OperationDefinition",
            "id": code,
            "url": f"{call.runtime.public_address}{BASE}/OperationDefinition/{code}",
            "name": code.capitalize(),
            "title": title,
            "status": "active",
            "kind": "operation",
            "date": WRITTEN,
            "description": description,
            "affectsState": False,
            "code": code,
            "system": True,
            "type": False,
            "instance": False,
            "parameter": [
                _parameter("bundle", "in", "Bundle", 1, takes),
                _parameter("asOf", "in", "date", 0, "Day that the forecast is of; else today"),
                _parameter("condition", "in", "string", 0, "Id of the Condition that counts"),
                _parameter("task", "in", "string", 0, "Name of the task, where several are served"),
                _parameter("return", "out", "Bundle", 1, gives),
            ],
        }
    )


def metadata(call: Call) -> Reply:
    """Describe what this service can do of FHIR: its operations, and no resources."""
    address = call.runtime.public_address
    return Reply(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": WRITTEN,
            "kind": "instance",
            "implementation": {
                "description": "Forecasts of functional recovery",
                "url": address + BASE,
            },
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [
                {
                    "mode": "server",
                    "operation": [
                        {"name": "evaluate", "definition": address + DEFINITION},
                        {"name": "whatif", "definition": address + WHAT_IF_DEFINITION},
                    ],
                }
            ],
        }
    )


def _given(parameters: Any) -> dict[str, Any]:
    """Return the values of `Parameters` by name."""
    given: dict[str, Any] = {}
    for each in parameters if isinstance(parameters, list) else ():
        name = each.get("name") if isinstance(each, dict) else None
        if not isinstance(name, str) or name not in {"bundle", *VALUES} or name in given:
            raise RequestInvalid("a parameter is not known, or comes twice", SEND_PARAMETERS)
        given[name] = each.get("resource" if name == "bundle" else VALUES[name])
        if name in VALUES and not isinstance(given[name], str):
            raise RequestInvalid(f"{name} has no {VALUES[name]}", SEND_PARAMETERS)
    return given


def _parameter(name: str, use: str, kind: str, least: int, said: str) -> dict[str, Any]:
    return {
        "name": name, "use": use, "min": least, "max": "1", "documentation": said, "type": kind,
    }  # fmt: skip
