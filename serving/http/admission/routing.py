"""Which endpoint a request is for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.routing import compile_path
from starlette.types import Scope

from serving.http.endpoints import ENDPOINTS, FHIR_JSON, JSON, Endpoint
from serving.http.refusals import RequestRefused

LIVE, READY, TAKES_REQUESTS = "/livez", "/readyz", "/healthz"
"""Probes: whether the process lives, whether all is well, whether to send requests here."""

METRICS, OPENAPI = "/metrics", "/openapi.json"
PROBES = frozenset({LIVE, READY, TAKES_REQUESTS})

WRONG_METHOD = "the route does not take this method"

# Starlette's expression ends in `$`, which alone would also match before a line's end.
_ROUTES = [(compile_path(endpoint.path)[0].fullmatch, endpoint) for endpoint in ENDPOINTS]


def find(scope: Scope) -> tuple[Endpoint | None, Mapping[str, str]]:
    """Return the endpoint of a request and the parameters in its path.

    The endpoint is None for what is not in the table: probes, metrics, the OpenAPI document.

    Raises
    ------
    RequestRefused
        There is none, or it takes another method or content type.
    """
    path, method = scope["path"], scope["method"]
    matches = [(endpoint, match) for fullmatch, endpoint in _ROUTES if (match := fullmatch(path))]
    if method not in {"GET", "HEAD"}:
        _check_content_type(scope, matches[0][0].content_types if matches else frozenset({JSON}))
    for endpoint, match in matches:
        if endpoint.method == method:
            return endpoint, match.groupdict()
    if matches:
        raise _wrong_method([endpoint.method for endpoint, _ in matches])
    if path in {LIVE, TAKES_REQUESTS, METRICS, OPENAPI}:
        if method not in {"GET", "HEAD"}:
            raise _wrong_method(["GET"])
        return None, {}
    raise RequestRefused(404, "there is no such route", "see /openapi.json for the routes")


def answer_type(scope: Scope, endpoint: Endpoint | None) -> str:
    """Return the content type of an answer: FHIR's own for FHIR, unless only JSON is accepted.

    Raises
    ------
    RequestRefused
        FHIR is asked for in a form that is neither.
    """
    if endpoint is None or not endpoint.is_fhir:
        return JSON
    accepted = _accepted(scope)
    if not accepted or accepted & {FHIR_JSON, "application/*", "*/*"}:
        return FHIR_JSON
    if JSON in accepted:
        return JSON
    raise RequestRefused(
        406, "FHIR is answered as JSON only", f"accept {FHIR_JSON}, or leave out Accept"
    )


def _accepted(scope: Scope) -> set[str]:
    """Return the media ranges that a caller accepts: not of weight 0 (RFC 9110, 12.5.1)."""
    ranges = ",".join(value.decode("latin-1") for value in header_values(scope, b"accept"))
    accepted = set()
    for written in ranges.lower().split(","):
        kind, *parameters = (part.strip() for part in written.split(";"))
        refused = any(re.fullmatch(r"q=0(\.0{0,3})?", parameter) for parameter in parameters)
        if kind and not refused:
            accepted.add(kind)
    return accepted


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """Return all values of a header field."""
    return [value for key, value in scope["headers"] if key.lower() == name]


def _wrong_method(allowed: list[str]) -> RequestRefused:
    methods = ", ".join(allowed)
    return RequestRefused(405, WRONG_METHOD, f"use {methods}", ((b"allow", methods.encode()),))


def _check_content_type(scope: Scope, allowed: frozenset[str]) -> None:
    # All of them count: of two, the framework may use the other.
    values = header_values(scope, b"content-type")
    whole = values[0].lower().decode("latin-1") if len(values) == 1 else ""
    sent, _, parameters = whole.partition(";")
    other = re.search(r"fhirversion=[\"']?(?!4\.)", parameters)
    if sent.strip() not in allowed or other:
        raise RequestRefused(
            415,
            "the content type is not one that the route takes",
            f"send {' or '.join(sorted(allowed))}, and name it once",
        )
