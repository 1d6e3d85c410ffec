"""Checks every request before anything else sees it, and refuses what is not for this service.

In this order: content type (415), route (404, 405), load (429), token (401, 403), rate (429), size
(413), content (400). Of BentoML's own routes only the liveness probes are open: BentoML unpickles
some content types and writes paths into metrics. Nothing of a body or a path reaches a log, a
metric or an error.
"""

from __future__ import annotations

import logging
import math
import re
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access.authentication import Caller, allow, authenticate, needs_store
from serving.access.development import is_forwarded
from serving.access.tokens import AccessDenied
from serving.faults import Fault
from serving.http.decoding import decoded, form_fields
from serving.http.endpoints import ENDPOINTS, JSON, Endpoint
from serving.http.handlers import Call, Reply, readiness
from serving.http.limits import MAX_FORECASTS, MAX_REQUESTS, MAX_STORE_CALLS, RateLimit
from serving.http.observability import RequestMetrics
from serving.http.openapi import document
from serving.http.refusals import (
    EXPECTED_ERRORS,
    Headers,
    RequestRefused,
    internal_error,
    refusal_body,
    refusal_of,
    retry_after,
    unavailable,
)
from serving.http.runtime import Runtime
from serving.http.shutdown import Shutdown

log = logging.getLogger("rehabcast.http")

ANONYMOUS = Caller("", frozenset())
LIVE = frozenset({"/livez", "/healthz"})
METRICS, OPENAPI, READY = "/metrics", "/openapi.json", "/readyz"
SHUTTING_DOWN = Fault("this worker is shutting down", "send requests to another one")
WRONG_METHOD = "the route does not take this method"


class RequestMiddleware:
    """ASGI middleware that answers the service's routes and lets nothing else through."""

    def __init__(self, app: ASGIApp, runtime: Callable[[], Runtime], shutdown: Shutdown) -> None:
        self.app, self._runtime, self._shutdown = app, runtime, shutdown
        self._metrics = RequestMetrics()
        self._rate = RateLimit()
        self._requests = 0
        self._forecast_threads = anyio.CapacityLimiter(MAX_FORECASTS)
        self._store_threads = anyio.CapacityLimiter(MAX_STORE_CALLS)
        self._token_threads = anyio.CapacityLimiter(MAX_STORE_CALLS)
        self._routes = [(_pattern(endpoint.path), endpoint) for endpoint in ENDPOINTS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        if scope["path"] not in {READY, METRICS, *LIVE}:
            self._shutdown.note_request()
        endpoint: Endpoint | None = None
        caller = ANONYMOUS
        headers: Headers = ()
        try:
            endpoint, parameters = self._route(scope)
            if endpoint is None and scope["path"] in LIVE:
                await self.app(scope, receive, send)
                return
            caller, reply = await self._reply(scope, receive, endpoint, parameters)
        except Exception as error:
            refusal = error if isinstance(error, RequestRefused) else _unexpected(error)
            is_fhir = endpoint is not None and endpoint.is_fhir
            reply = Reply(refusal_body(refusal, is_fhir=is_fhir), refusal.status)
            headers = refusal.headers
        if self._shutdown.begun:
            headers = (*headers, (b"connection", b"close"))
        content = reply.content
        body = content if isinstance(content, bytes) else msgspec.json.encode(content)
        await _send(send, reply.status, body, scope["path"] == METRICS, headers)
        route = endpoint.path if endpoint is not None else ""
        seconds = time.perf_counter() - started
        self._metrics.record(scope["method"], route, reply, caller.name, seconds)

    def _route(self, scope: Scope) -> tuple[Endpoint | None, Mapping[str, str]]:
        """Return the endpoint of a request and the parameters in its path.

        The endpoint is None for what is not in the table: probes, metrics, the OpenAPI document.
        """
        path, method = scope["path"], scope["method"]
        matches = [
            (endpoint, match) for pattern, endpoint in self._routes if (match := pattern(path))
        ]
        if method not in {"GET", "HEAD"}:
            _check_content_type(
                scope, matches[0][0].content_types if matches else frozenset({JSON})
            )
        for endpoint, match in matches:
            if endpoint.method == method:
                return endpoint, match.groupdict()
        if matches:
            raise _wrong_method([endpoint.method for endpoint, _ in matches])
        if path in {*LIVE, METRICS, OPENAPI}:
            if method not in {"GET", "HEAD"}:
                raise _wrong_method(["GET"])
            return None, {}
        raise RequestRefused(404, "there is no such route", "see /openapi.json for the routes")

    async def _reply(
        self,
        scope: Scope,
        receive: Receive,
        endpoint: Endpoint | None,
        parameters: Mapping[str, str],
    ) -> tuple[Caller, Reply]:
        runtime = self._runtime()
        if endpoint is None:
            if scope["path"] == OPENAPI:
                return ANONYMOUS, Reply(document())
            caller = await self._authorized(scope, runtime, "metrics")
            return caller, Reply(self._metrics.exposition())
        if endpoint.path == READY and self._shutdown.begun:
            return ANONYMOUS, readiness([SHUTTING_DOWN])
        if self._requests >= MAX_REQUESTS:
            raise RequestRefused(
                429, "too many requests at once", "try again in a second", retry_after(1)
            )
        self._requests += 1
        try:
            caller = ANONYMOUS
            if endpoint.scope is not None:
                caller = await self._authorized(scope, runtime, endpoint.scope)
                self._check_rate(caller)
            has_body = endpoint.request_type is not None
            body = await _read(receive, endpoint.max_bytes) if has_body else b""
            work = _work(endpoint, runtime, caller, body, parameters, scope)
            limiter = self._store_threads if endpoint.needs_store else self._forecast_threads
            return caller, await anyio.to_thread.run_sync(work, limiter=limiter)
        finally:
            self._requests -= 1

    async def _authorized(self, scope: Scope, runtime: Runtime, required_scope: str) -> Caller:
        token = _bearer(scope)
        peer = (scope.get("client") or ("", 0))[0]

        def check() -> Caller:
            caller = authenticate(
                runtime.access, token, path=scope["path"], peer=peer, now=datetime.now(UTC),
                use_once=runtime.store.use_once, forwarded=is_forwarded(scope["headers"]),
            )  # fmt: skip
            allow(caller, required_scope)
            return caller

        try:
            # A store that hangs delays nobody whose token can be checked without it.
            of_client = needs_store(runtime.access, token)
            limiter = self._store_threads if of_client else self._token_threads
            return await anyio.to_thread.run_sync(check, limiter=limiter)
        except AccessDenied as denied:
            raise refusal_of(denied) from None
        except SQLAlchemyError:
            raise unavailable("tokens cannot be checked now") from None

    def _check_rate(self, caller: Caller) -> None:
        if wait := self._rate.seconds_to_wait(caller.name):
            seconds = math.ceil(wait)
            raise RequestRefused(
                429,
                "too many requests from one caller",
                f"try again in {seconds} s",
                retry_after(seconds),
            )


def _work(
    endpoint: Endpoint, runtime: Runtime, caller: Caller, body: bytes,
    parameters: Mapping[str, str], scope: Scope,
) -> Callable[[], Reply]:  # fmt: skip
    def work() -> Reply:
        try:
            content: Any = body
            query = form_fields(scope["query_string"])
            if endpoint.request_type not in {None, bytes}:
                content = decoded(endpoint.request_type, body)
            call = Call(runtime, caller, content, parameters, query, scope["path"])
            return endpoint.handler(call)
        except EXPECTED_ERRORS as error:
            raise refusal_of(error) from None

    return work


def _unexpected(error: Exception) -> RequestRefused:
    # A traceback's message may hold what was sent, so only the place is logged.
    where = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s in %s, line %s", type(error).__name__, where.name, where.lineno)
    return internal_error()


def _wrong_method(allowed: list[str]) -> RequestRefused:
    methods = ", ".join(allowed)
    return RequestRefused(405, WRONG_METHOD, f"use {methods}", ((b"allow", methods.encode()),))


def _pattern(path: str) -> Callable[[str], re.Match[str] | None]:
    parts = re.split(r"\{(\w+)\}", path)
    pattern = "".join(
        re.escape(part) if n % 2 == 0 else f"(?P<{part}>[^/]+)" for n, part in enumerate(parts)
    )
    return re.compile(pattern).fullmatch


def _header_values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key.lower() == name]


def _check_content_type(scope: Scope, allowed: frozenset[str]) -> None:
    # All of them count: of two, the framework may use the other.
    values = _header_values(scope, b"content-type")
    sent = values[0].split(b";")[0].strip().lower().decode("latin-1") if len(values) == 1 else ""
    if sent not in allowed:
        raise RequestRefused(
            415,
            "the content type is not one that the route takes",
            f"send {' or '.join(sorted(allowed))}, and name it once",
        )


def _bearer(scope: Scope) -> str:
    values = _header_values(scope, b"authorization")
    if len(values) != 1:
        return ""
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _read(receive: Receive, max_bytes: int) -> bytes:
    """Read a body, whatever its Content-Length claims."""
    parts: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRefused(400, "the body ended early", "send the whole body again")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > max_bytes:
            raise RequestRefused(
                413,
                f"the body is larger than {max_bytes // 1024} KiB",
                "send less at once: fewer subjects or fewer days",
            )
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(send: Send, status: int, body: bytes, plain: bool, extra: Headers) -> None:
    headers = [
        (b"content-type", b"text/plain; version=0.0.4" if plain else b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
