"""The service's OpenAPI document, from its endpoints, with examples that run."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from inspect import cleandoc
from typing import Any

import msgspec

from serving.formats.fhir.limits import (
    MAX_BUNDLES,
    MAX_ELEMENTS,
    MAX_ENTRIES,
    MAX_PLAN_ELEMENTS,
)
from serving.http.alerts.handlers import LARGEST_PAGE, PAGE
from serving.http.decoding import MAX_NESTING, MAX_VALUES
from serving.http.endpoints import ENDPOINTS, FHIR_JSON, FORM, JSON, Endpoint
from serving.http.examples import examples_of
from serving.pushed import PushedAnswer
from serving.schemas import Refusal

REFUSALS = {
    "400": "The body is not what the route takes",
    "401": "No valid token",
    "403": "The token lacks the scope",
    "404": "The caller has no such record or forecast, whoever else may",
    "406": "FHIR is answered as JSON only",
    "412": "The prefetch lacks what is needed",
    "413": "The body is too large",
    "415": "The route does not take this content type",
    "422": "Not possible with this record; the body says what to do",
    "429": "Too many requests; Retry-After says when to try again",
    "503": "The store does not answer; Retry-After says when to try again",
}

API_VERSION = "3.8"
"""Changes whenever the paths or schemas do, which a test holds.

The second number where earlier callers are still answered as they were, else the first.
"""

DESCRIPTION = (
    "Forecasts of functional recovery. Advice only: see the limits of use.\n\n"
    "How much one request may hold, so that none keeps a worker for more than a second:"
    f" {MAX_VALUES:,} JSON values, nested {MAX_NESTING} deep (400 beyond);"
    f" of FHIR {MAX_ENTRIES:,} entries, and {MAX_ELEMENTS:,} JSON objects within its Patients,"
    " Conditions, Observations and Procedures, resources and extensions counted three times (422"
    f" beyond), and {MAX_PLAN_ELEMENTS:,} within CarePlans; {MAX_BUNDLES} Bundles for many"
    " subjects (422 beyond). 180 days of 32 channels fit as FHIR, and five years of every daily"
    " biomarker inline. No text may hold U+0000."
)


@lru_cache(maxsize=2)
def document(day: date) -> bytes:
    """Return the document as JSON, with examples that run on a day."""
    examples = examples_of(day)
    requests = [e.request_type for e in ENDPOINTS if e.request_type not in {None, bytes}]
    answers = [e.response_type for e in ENDPOINTS if e.response_type is not bytes]
    types = [*requests, *answers, Refusal]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    of_type = {str(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        operation = _operation(endpoint, of_type, examples.get(endpoint.path), day)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    content = {
        "openapi": "3.1.0",
        "info": {
            "title": "rehabcast",
            "version": API_VERSION,
            "description": DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(_described_alike(content))


def _described_alike(content: Any) -> Any:
    """Return a document without the indentation of docstrings, which Python 3.13 leaves out."""
    if isinstance(content, dict):
        return {
            key: cleandoc(value)
            if key == "description" and isinstance(value, str)
            else _described_alike(value)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [_described_alike(value) for value in content]
    return content


def _operation(
    endpoint: Endpoint, of_type: dict[str, Any], example: Any, day: date
) -> dict[str, Any]:
    refusal: dict[str, Any] = {JSON: {"schema": of_type[str(Refusal)]}}
    if endpoint.is_fhir:
        refusal = {kind: {"schema": {"type": "object"}} for kind in (FHIR_JSON, JSON)}
    if FORM in endpoint.content_types:
        # RFC 6749, section 5.2; beyond what OAuth knows, such as too many requests, as elsewhere.
        words = {"error": {"type": "string"}, "error_description": {"type": "string"}}
        oauth = {"type": "object", "properties": words, "required": ["error"]}
        refusal = {JSON: {"schema": {"anyOf": [oauth, of_type[str(Refusal)]]}}}
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "responses": {
            "200": {
                "description": "Answered",
                "content": _answered(endpoint, of_type),
            },
            **{
                status: {"description": description, "content": refusal}
                for status, description in REFUSALS.items()
                if endpoint.is_fhir or status != "406"
            },
        },
        "security": [] if endpoint.scope is None else [{"bearer": [endpoint.scope]}],
    }
    if endpoint.path == "/readyz":
        operation["responses"]["503"] = operation["responses"]["200"]
    if endpoint.response_type is PushedAnswer:
        # Where no point could be used it says so of each.
        either = [of_type[str(Refusal)], of_type[str(PushedAnswer)]]
        operation["responses"]["422"]["content"] = {JSON: {"schema": {"anyOf": either}}}
    if endpoint.request_type is not None:
        operation["requestBody"] = {
            "required": True,
            "content": _content(endpoint, of_type, example),
        }
    if parameters := _parameters(endpoint, day):
        operation["parameters"] = parameters
    return operation


def _parameters(endpoint: Endpoint, day: date) -> list[dict[str, Any]]:
    described = {
        "alert_days": _alert_days(), "limit": _limit(), "cursor": _cursor(),
        "condition": _condition(), "task": _task(),
        "as_of": _as_of(day), "asOf": _as_of_beside_a_bundle(day),
    }  # fmt: skip
    described |= {parameter["name"]: parameter for parameter in _of_wearer(day)}
    in_path = [_subject()] if "{subject}" in endpoint.path else []
    in_path += [_task_called()] if "{task}" in endpoint.path else []
    return [*in_path, *(described[name] for name in endpoint.query)]


def _answered(endpoint: Endpoint, of_type: dict[str, Any]) -> dict[str, Any]:
    if endpoint.response_type is bytes:
        return {"text/html": {"schema": {"type": "string"}}}
    schema = of_type[str(endpoint.response_type)]
    kinds = (FHIR_JSON, JSON) if endpoint.is_fhir else (JSON,)
    return {kind: {"schema": schema} for kind in kinds}


def _content(endpoint: Endpoint, of_type: dict[str, Any], example: Any) -> dict[str, Any]:
    if FORM in endpoint.content_types:
        return {FORM: {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}}
    media: dict[str, Any] = {"schema": of_type[str(endpoint.request_type)]}
    if example is not None:
        media["examples"] = {"one": {"value": example}}
    return {kind: media for kind in sorted(endpoint.content_types) if kind in {JSON, FHIR_JSON}}


def _subject() -> dict[str, Any]:
    schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
    return {"name": "subject", "in": "path", "required": True, "schema": schema, "example": "P-1"}


def _task_called() -> dict[str, Any]:
    schema = {"type": "string", "pattern": "^[a-z0-9-]{1,100}$"}
    return {"name": "task", "in": "path", "required": True, "schema": schema}


def _task() -> dict[str, Any]:
    return {
        "name": "task",
        "in": "query",
        "required": False,
        "description": "Name of the task, where several are served.",
        "schema": {"type": "string", "maxLength": 100},
    }


def _of_wearer(day: date) -> list[dict[str, Any]]:
    return [
        {
            "name": name, "in": "query", "required": False, "description": description,
            "schema": schema, "example": example,
        }
        for name, description, schema, example in (
            ("onset_date", "Needed with a person's first points.",
             {"type": "string", "format": "date"}, (day - timedelta(days=11)).isoformat()),
            ("enrolment_day", "Days after the onset; needed for a person who is not on record.",
             {"type": "integer", "minimum": 0, "maximum": 40_000}, 10),
            ("time_zone", "IANA zone of the wearer, for times that are written in UTC.",
             {"type": "string", "maxLength": 64}, "Europe/Oslo"),
        )
    ]  # fmt: skip


def _alert_days() -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": 365}
    return {"name": "alert_days", "in": "query", "required": False, "schema": schema}


def _limit() -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}
    return {"name": "limit", "in": "query", "required": False, "schema": schema}


def _cursor() -> dict[str, Any]:
    return {
        "name": "cursor",
        "in": "query",
        "required": False,
        "description": "Of the page before; left out for the first page.",
        "schema": {"type": "string", "maxLength": 1_200},
    }


def _condition() -> dict[str, Any]:
    return {
        "name": "condition",
        "in": "query",
        "required": False,
        "description": "Id of the Condition whose onset counts, where there are several.",
        "schema": {"type": "string", "maxLength": 200},
    }


def _as_of_beside_a_bundle(day: date) -> dict[str, Any]:
    """Return the parameter without an example: that of the body, Parameters, has its own `asOf`."""
    described = _as_of(day) | {"name": "asOf"}
    return {name: value for name, value in described.items() if name != "example"}


def _as_of(day: date) -> dict[str, Any]:
    return {
        "name": "as_of",
        "in": "query",
        "required": False,
        "description": "Day that the forecast is of; left out, today.",
        "schema": {"type": "string", "format": "date"},
        "example": day.isoformat(),
    }
