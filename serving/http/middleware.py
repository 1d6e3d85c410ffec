"""Checks every request before anything else sees it, and refuses what is not for this service.

In this order: content type (415), route (404, 405), accepted types (406), token (401, 403), rate
(429), size of the body (413), load (429), content (400). A slot is taken only by a request whose
token holds and whose body is there; probes take none. Of BentoML's own routes only the liveness
probes are open: BentoML unpickles some content types and writes paths into metrics. Nothing of a
body or a path reaches a log, a metric or an error.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.access.authentication import Caller
from serving.faults import Fault, place_of
from serving.http.admission import limits, routing
from serving.http.admission.bodies import body_of
from serving.http.admission.identity import Tokens, address_of
from serving.http.admission.pool import Pool
from serving.http.admission.records import StoredRecords, people_on_record
from serving.http.admission.routing import (
    LIVE,
    OPENAPI,
    PROBES,
    READY,
    TAKES_REQUESTS,
)
from serving.http.calls import Call, Reply
from serving.http.decoding import decoded, form_fields, refuse_unknown
from serving.http.endpoints import JSON, Endpoint
from serving.http.handlers import readiness
from serving.http.observability import RequestMetrics
from serving.http.openapi import document
from serving.http.readiness import Readiness
from serving.http.refusals import (
    EXPECTED_ERRORS,
    Headers,
    RequestRefused,
    internal_error,
    refusal_body,
    refusal_of,
)
from serving.http.runtime import Runtime
from serving.http.shutdown import Shutdown

log = logging.getLogger("rehabcast.http")

ANONYMOUS = Caller("", frozenset())
POLICY = b"content-security-policy"
CONTENT_POLICY = b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""Pages have a style and text, and load nothing from anywhere."""

FORMAT = ("_format", "_pretty")
"""What FHIR clients may send with every request; answers are JSON all the same."""

METRICS_TYPE = "text/plain; version=0.0.4"
SHUTTING_DOWN = Fault("this worker is shutting down", "send requests to another one")


class PagesForPeople(Protocol):
    """Routes that people open in a browser, signed in with a cookie and not with a token."""

    def takes(self, path: str) -> bool:
        """Say whether a path is one of theirs."""

    async def reply(
        self, scope: Scope, receive: Receive, runtime: Runtime
    ) -> tuple[str, str, Reply, Headers]:
        """Return route and caller for the log, the answer and its headers; never raises."""


class RequestMiddleware:
    """ASGI middleware that answers the service's routes and lets nothing else through."""

    def __init__(
        self, app: ASGIApp, runtime: Callable[[], Runtime], shutdown: Shutdown,
        pages: PagesForPeople | None = None,
    ) -> None:  # fmt: skip
        self.app, self._runtime, self._shutdown = app, runtime, shutdown
        self._pages = pages
        self._metrics = RequestMetrics()
        self._readiness = Readiness(lambda: runtime().problems())
        self._tokens = Tokens()
        self._rate = limits.RateLimit()
        self._anonymous_rate = limits.RateLimit(limits.ANONYMOUS_PER_SECOND, limits.ANONYMOUS_BURST)
        self._bodies = limits.Room(
            limits.MAX_BODIES, limits.MAX_BODIES_OF_ONE, "too many large bodies at once"
        )
        self._forecasts = Pool(
            limits.MAX_REQUESTS, limits.MAX_REQUESTS_OF_ONE, limits.MAX_FORECASTS
        )
        self._records = StoredRecords()
        self._store_calls = Pool(
            limits.MAX_STORE_REQUESTS, limits.MAX_STORE_REQUESTS_OF_ONE, limits.MAX_STORE_CALLS
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        if scope["path"] not in {routing.METRICS, *PROBES}:
            self._shutdown.note_request()
        if self._pages is not None and self._pages.takes(scope["path"]):
            said = await self._pages.reply(scope, receive, self._runtime())
            await self._answer(scope, send, started, *said)
            return
        endpoint: Endpoint | None = None
        caller, kind = ANONYMOUS, JSON
        headers: Headers = ()
        try:
            endpoint, parameters = routing.find(scope)
            kind = routing.answer_type(scope, endpoint)
            if endpoint is None and scope["path"] == LIVE:
                await self.app(scope, receive, send)
                return
            caller, reply = await self._reply(scope, receive, endpoint, parameters)
        except Exception as error:
            refusal = error if isinstance(error, RequestRefused) else _unexpected(error)
            is_fhir = endpoint is not None and endpoint.is_fhir
            reply = Reply(refusal_body(refusal, is_fhir=is_fhir), refusal.status)
            headers = refusal.headers
        reply = replace(reply, content_type=reply.content_type or kind)
        route = endpoint.path if endpoint is not None else ""
        await self._answer(scope, send, started, route, caller.name, reply, headers)

    async def _answer(
        self, scope: Scope, send: Send, started: float, route: str, caller: str, reply: Reply,
        headers: Headers,
    ) -> None:  # fmt: skip
        """Send an answer, and log it."""
        if self._shutdown.begun:
            headers = (*headers, (b"connection", b"close"))
        content = reply.content
        body = content if isinstance(content, bytes) else msgspec.json.encode(content)
        await _send(send, reply.status, body, reply.content_type, headers)
        seconds = time.perf_counter() - started
        self._metrics.record(scope["method"], route, reply, caller, seconds)

    async def _reply(
        self,
        scope: Scope,
        receive: Receive,
        endpoint: Endpoint | None,
        parameters: Mapping[str, str],
    ) -> tuple[Caller, Reply]:
        runtime = self._runtime()
        begun = [SHUTTING_DOWN] if self._shutdown.begun else []
        if endpoint is None:
            if scope["path"] == TAKES_REQUESTS:
                # Whatever else is wrong: elsewhere it is no better, and what can be answered is.
                return ANONYMOUS, readiness(begun)
            if scope["path"] == OPENAPI:
                self._anonymous_rate.check(address_of(scope, runtime))
                return ANONYMOUS, Reply(document(datetime.now(UTC).date()))
            caller = await self._tokens.caller_of(scope, runtime, "metrics")
            return caller, Reply(self._metrics.exposition(), content_type=METRICS_TYPE)
        if endpoint.path == READY:
            return ANONYMOUS, readiness(begun or await self._readiness.problems())
        caller, name = ANONYMOUS, address_of(scope, runtime)
        if endpoint.scope is not None:
            caller = await self._tokens.caller_of(scope, runtime, endpoint.scope)
            name = f"caller {caller.name}"
        rate = self._anonymous_rate if endpoint.scope is None else self._rate
        rate.check(name)
        max_bytes = endpoint.max_bytes if endpoint.request_type is not None else 0
        pool = self._store_calls if endpoint.needs_store else self._forecasts
        async with body_of(receive, max_bytes, self._bodies, name) as body:
            work = _work(endpoint, runtime, caller, body, parameters, scope)
            reply = await pool.run(work, name)
            if isinstance(reply, Call):
                people = people_on_record(reply.body)
                records = await self._records.of(runtime, caller.tenant, people, name)
                # Two steps of a forecast's thread, so that it waits for nothing between them.
                call = replace(reply, records=records)
                reply = await pool.run(partial(_handled, endpoint, call), name)
            return caller, reply


def _work(
    endpoint: Endpoint, runtime: Runtime, caller: Caller, body: bytes,
    parameters: Mapping[str, str], scope: Scope,
) -> Callable[[], Reply | Call]:  # fmt: skip
    """Return what decodes a request and answers it; a call, where a record must be read first."""

    def work() -> Reply | Call:
        try:
            content: Any = body
            query = form_fields(scope["query_string"])
            if endpoint.scope is not None:
                refuse_unknown(query, {*endpoint.query, *(FORMAT if endpoint.is_fhir else ())})
            if endpoint.request_type not in {None, bytes}:
                content = decoded(endpoint.request_type, body)
            call = Call(runtime, caller, content, parameters, query, scope["path"])
            return call if people_on_record(content) else endpoint.handler(call)
        except EXPECTED_ERRORS as error:
            raise refusal_of(error) from None

    return work


def _handled(endpoint: Endpoint, call: Call) -> Reply:
    try:
        return endpoint.handler(call)
    except EXPECTED_ERRORS as error:
        raise refusal_of(error) from None


def _unexpected(error: Exception) -> RequestRefused:
    log.error("a request failed: %s", place_of(error))
    return internal_error()


async def _send(send: Send, status: int, body: bytes, kind: str, extra: Headers) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        *extra,
    ]
    said = {name for name, _ in extra}
    if b"cache-control" not in said:
        headers.append((b"cache-control", b"no-store"))
    if kind.startswith("text/html") and POLICY not in said:
        headers.append((POLICY, CONTENT_POLICY))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
