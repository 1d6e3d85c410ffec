"""The service's OpenAPI document, from its endpoints, with examples that run."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from serving.http.endpoints import ENDPOINTS, FHIR_JSON, FORM, JSON, Endpoint
from serving.http.examples import EXAMPLES
from serving.schemas import Refusal

REFUSALS = {
    "400": "The body is not what the route takes",
    "401": "No valid token",
    "403": "The token lacks the scope",
    "412": "What is needed was not prefetched",
    "413": "The body is too large",
    "415": "Another content type",
    "422": "It cannot be done with this record; says what to do",
    "429": "Too many requests; says when to come back",
    "503": "The store does not answer; says when to come back",
}


@cache
def document() -> bytes:
    """Return the document as JSON."""
    kinds = [each.takes for each in ENDPOINTS if each.takes not in {None, bytes}]
    types = [*kinds, *(each.gives for each in ENDPOINTS), Refusal]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    of_type = {str(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, Any] = {}
    for each in ENDPOINTS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, of_type)
    told = {
        "openapi": "3.1.0",
        "info": {
            "title": "rehabcast",
            "version": "1",
            "description": "Forecasts of functional recovery. Advice only: see the limits of use.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(told)


def _operation(each: Endpoint, of_type: dict[str, Any]) -> dict[str, Any]:
    refusal: dict[str, Any] = {JSON: {"schema": of_type[str(Refusal)]}}
    if each.is_fhir:
        refusal = {JSON: {"schema": {"type": "object"}}}
    operation: dict[str, Any] = {
        "operationId": each.answer.__name__,
        "summary": each.says,
        "responses": {
            "200": {
                "description": "Answered",
                "content": {JSON: {"schema": of_type[str(each.gives)]}},
            },
            **{
                status: {"description": told, "content": refusal}
                for status, told in REFUSALS.items()
            },
        },
        "security": [] if each.scope is None else [{"bearer": [each.scope]}],
    }
    if each.path == "/readyz":
        operation["responses"]["503"] = operation["responses"]["200"]
    if each.takes is not None:
        operation["requestBody"] = {"required": True, "content": _content(each, of_type)}
    if "{subject}" in each.path:
        operation["parameters"] = [_subject(), _alert_days()]
    return operation


def _content(each: Endpoint, of_type: dict[str, Any]) -> dict[str, Any]:
    if FORM in each.kinds:
        return {FORM: {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}}
    media: dict[str, Any] = {"schema": of_type[str(each.takes)]}
    if each.path in EXAMPLES:
        media["examples"] = {"one": {"value": EXAMPLES[each.path]}}
    return {kind: media for kind in sorted(each.kinds) if kind in {JSON, FHIR_JSON}}


def _subject() -> dict[str, Any]:
    schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
    return {"name": "subject", "in": "path", "required": True, "schema": schema, "example": "P-1"}


def _alert_days() -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": 365}
    return {"name": "alert_days", "in": "query", "required": False, "schema": schema}
