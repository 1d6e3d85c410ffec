"""The door of the service: everything is refused here that is not plainly a request of ours.

In this order: content type (415), route (404, 405), load (429), token (401, 403), rate (429), size
(413), content (400). BentoML's own routes stay shut but `/livez`: it unpickles some content types
and writes paths into metrics. Nothing of a body or a path reaches a log, a metric or an error.
"""

from __future__ import annotations

import logging
import math
import re
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import ForecastRefused, IntegrityError, ServiceUnavailable
from serving.formats.cds_hooks import PrefetchMissing
from serving.formats.fhir import operation_outcome
from serving.http.access import AccessDenied, Caller, allow, authenticate
from serving.http.decoding import RequestInvalid, decoded, form_fields
from serving.http.endpoints import ENDPOINTS, JSON, Endpoint
from serving.http.handlers import Answered, Asked
from serving.http.limits import AT_STORE, AT_WORK, CONCURRENT, RateLimit
from serving.http.observability import Observed
from serving.http.openapi import document
from serving.http.runtime import Desk
from serving.http.shutdown import Ending

log = logging.getLogger("rehabcast.door")

NOBODY = Caller("", frozenset())
RETRY_SECONDS = 5
LIVE = frozenset({"/livez", "/healthz"})
METRICS, OPENAPI, READY = "/metrics", "/openapi.json", "/readyz"


@dataclass(slots=True)
class Refused(Exception):
    """A request that is not answered."""

    status: int
    told: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Door:
    """ASGI middleware that answers the service's routes and lets nothing else in."""

    def __init__(self, app: ASGIApp, desk: Callable[[], Desk], ending: Ending) -> None:
        self.app, self._desk, self._ending = app, desk, ending
        self._observed = Observed()
        self._rate = RateLimit()
        self._inside = 0
        self._workers = anyio.CapacityLimiter(AT_WORK)
        self._keepers = anyio.CapacityLimiter(AT_STORE)
        self._routes = [(_pattern(each.path), each) for each in ENDPOINTS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        endpoint: Endpoint | None = None
        parts: Mapping[str, str] = {}
        caller, answered = NOBODY, Answered(None)
        headers: tuple[tuple[bytes, bytes], ...] = ()
        try:
            if scope["path"] not in {READY, METRICS, *LIVE}:
                self._ending.asked()
            endpoint, parts = self._find(scope)
            if endpoint is None and scope["path"] in LIVE:
                await self.app(scope, receive, send)
                return
            caller, answered = await self._answer(scope, receive, endpoint, parts)
        except Refused as refusal:
            told: Any = {"error": refusal.told}
            if endpoint is not None and endpoint.is_fhir:
                told = operation_outcome(refusal.told)
            answered, headers = Answered(told, refusal.status), refusal.headers
        except Exception as error:
            # The last stop before a log: a traceback's message may hold what was asked.
            where = traceback.extract_tb(error.__traceback__)[-1]
            log.error("%s in %s, line %s", type(error).__name__, where.name, where.lineno)
            answered, headers = (
                Answered({"error": "something went wrong here: ask who runs it"}, 500),
                (),
            )
        body = answered.content
        if not isinstance(body, bytes):
            body = msgspec.json.encode(body)
        if self._ending.begun:
            headers = (*headers, (b"connection", b"close"))
        await _send(send, answered.status, body, scope["path"] == METRICS, headers)
        route = endpoint.path if endpoint is not None else ""
        self._observed.note(
            scope["method"], route, answered, caller.name, time.perf_counter() - started
        )

    def _find(self, scope: Scope) -> tuple[Endpoint | None, Mapping[str, str]]:
        path, method = scope["path"], scope["method"]
        matches = [(each, found) for pattern, each in self._routes if (found := pattern(path))]
        if method not in {"GET", "HEAD"}:
            _check_kind(scope, matches[0][0].kinds if matches else frozenset({JSON}))
        for each, found in matches:
            if each.method == method:
                return each, found.groupdict()
        if matches:
            allowed = ", ".join(each.method for each, _ in matches).encode()
            raise Refused(405, "the route takes another method", ((b"allow", allowed),))
        if path in {*LIVE, METRICS, OPENAPI}:
            if method not in {"GET", "HEAD"}:
                raise Refused(405, "the route takes another method", ((b"allow", b"GET"),))
            return None, {}
        raise Refused(404, "there is no such route")

    async def _answer(
        self, scope: Scope, receive: Receive, endpoint: Endpoint | None, parts: Mapping[str, str]
    ) -> tuple[Caller, Answered]:
        desk = self._desk()
        if endpoint is None:
            if scope["path"] == OPENAPI:
                return NOBODY, Answered(document())
            caller = await self._caller(scope, desk, "metrics")
            return caller, Answered(self._observed.exposition())
        if endpoint.path == READY and self._ending.begun:
            told = {"ready": False, "problems": ["this worker is ending: ask another"]}
            return NOBODY, Answered(told, 503)
        if self._inside >= CONCURRENT:
            raise Refused(429, "too many requests at once", ((b"retry-after", b"1"),))
        self._inside += 1
        try:
            caller = NOBODY
            if endpoint.scope is not None:
                caller = await self._caller(scope, desk, endpoint.scope)
                self._check_rate(caller)
            body = await _read(receive, endpoint.largest) if endpoint.takes is not None else b""
            work = _work(endpoint, desk, caller, body, parts, scope)
            limiter = self._keepers if endpoint.waits_for_store else self._workers
            return caller, await anyio.to_thread.run_sync(work, limiter=limiter)
        finally:
            self._inside -= 1

    async def _caller(self, scope: Scope, desk: Desk, needed: str) -> Caller:
        token = _bearer(scope)
        peer = (scope.get("client") or ("", 0))[0]

        def check() -> Caller:
            caller = authenticate(
                desk.access, token, path=scope["path"], peer=peer, now=datetime.now(UTC),
                use_once=desk.store.use_once,
            )  # fmt: skip
            allow(caller, needed)
            return caller

        try:
            if desk.access.development_token is not None:
                return check()
            return await anyio.to_thread.run_sync(check, limiter=self._keepers)
        except AccessDenied as denied:
            raise _denied(denied) from None
        except SQLAlchemyError:
            raise Refused(503, "tokens cannot be checked now", _later()) from None

    def _check_rate(self, caller: Caller) -> None:
        if wait := self._rate.wait(caller.name):
            seconds = str(math.ceil(wait)).encode()
            raise Refused(429, "too many requests of one caller", ((b"retry-after", seconds),))


def _work(
    endpoint: Endpoint, desk: Desk, caller: Caller, body: bytes, parts: Mapping[str, str],
    scope: Scope,
) -> Callable[[], Answered]:  # fmt: skip
    def work() -> Answered:
        try:
            content: Any = body
            query = form_fields(scope["query_string"])
            if endpoint.takes not in {None, bytes}:
                content = decoded(endpoint.takes, body)
            return endpoint.answer(Asked(desk, caller, content, parts, query, scope["path"]))
        except RequestInvalid as invalid:
            raise Refused(400, str(invalid)) from None
        except AccessDenied as denied:
            raise _denied(denied) from None
        except PrefetchMissing as missing:
            raise Refused(412, str(missing)) from None
        except ForecastRefused as refusal:
            raise Refused(422, str(refusal)) from None
        except IntegrityError as error:
            raise Refused(500, str(error)) from None
        except (SQLAlchemyError, ServiceUnavailable):
            raise Refused(503, "the service's store does not answer", _later()) from None

    return work


def _denied(denied: AccessDenied) -> Refused:
    challenge = b"Bearer" if denied.status == 401 else b'Bearer error="insufficient_scope"'
    return Refused(denied.status, str(denied), ((b"www-authenticate", challenge),))


def _later() -> tuple[tuple[bytes, bytes], ...]:
    return ((b"retry-after", str(RETRY_SECONDS).encode()),)


def _pattern(path: str) -> Callable[[str], re.Match[str] | None]:
    parts = re.split(r"\{(\w+)\}", path)
    pattern = "".join(
        re.escape(part) if n % 2 == 0 else f"(?P<{part}>[^/]+)" for n, part in enumerate(parts)
    )
    return re.compile(pattern).fullmatch


def _check_kind(scope: Scope, kinds: frozenset[str]) -> None:
    # Every one counts: of two, the framework may believe the other.
    told = [value for name, value in scope["headers"] if name.lower() == b"content-type"]
    kind = told[0].split(b";")[0].strip().lower().decode("latin-1") if len(told) == 1 else ""
    if kind not in kinds:
        raise Refused(415, f"only {', '.join(sorted(kinds))} is taken")


def _bearer(scope: Scope) -> str:
    told = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    if len(told) != 1:
        return ""
    scheme, _, token = told[0].decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _read(receive: Receive, largest: int) -> bytes:
    """Read a body, whatever its Content-Length claims."""
    parts: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the body ended early")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > largest:
            raise Refused(413, f"the body is larger than {largest // 1024} KiB")
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(
    send: Send, status: int, body: bytes, plain: bool, extra: tuple[tuple[bytes, bytes], ...]
) -> None:
    headers = [
        (b"content-type", b"text/plain; version=0.0.4" if plain else b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
