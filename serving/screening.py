"""Turns away what is not a small JSON body, before any framework looks at it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 1024 * 1024
"""Bytes."""


class Screening:
    """ASGI middleware: 415 for a body that isn't JSON, 413 for one over `LARGEST_BODY`.

    BentoML still unpickles bodies of some content types on some routes; here nothing but
    `application/json` gets through, on any route.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        # Every one counts: of two, the framework may believe the other.
        kinds = [value for name, value in scope["headers"] if name.lower() == b"content-type"]
        if [kind.split(b";")[0].strip().lower() for kind in kinds] != [b"application/json"]:
            await _refuse(send, 415, b"only application/json is taken")
            return
        body = await _read(receive)
        if body is None:
            await _refuse(send, 413, b"the body is larger than 1 MiB")
            return
        await self.app(scope, _replay(body, receive), send)


async def _read(receive: Receive) -> bytes | None:
    """Read a body, whatever its Content-Length claims; None when it is too large."""
    body: bytes = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a receive that gives the body once, then whatever comes after it."""
    waiting = [body]

    async def once() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return once


async def _refuse(send: Send, status: int, told: bytes) -> None:
    body = b'{"error": "' + told + b'"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
