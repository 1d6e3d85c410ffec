"""Which endpoint a request is for."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import compile_path
from starlette.types import Scope

from serving.http.endpoints import ENDPOINTS, JSON, Endpoint
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


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """Return all values of a header field."""
    return [value for key, value in scope["headers"] if key.lower() == name]


def _wrong_method(allowed: list[str]) -> RequestRefused:
    methods = ", ".join(allowed)
    return RequestRefused(405, WRONG_METHOD, f"use {methods}", ((b"allow", methods.encode()),))


def _check_content_type(scope: Scope, allowed: frozenset[str]) -> None:
    # All of them count: of two, the framework may use the other.
    values = header_values(scope, b"content-type")
    sent = values[0].split(b";")[0].strip().lower().decode("latin-1") if len(values) == 1 else ""
    if sent not in allowed:
        raise RequestRefused(
            415,
            "the content type is not one that the route takes",
            f"send {' or '.join(sorted(allowed))}, and name it once",
        )
