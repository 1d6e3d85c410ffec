"""Reads a body, of which all callers together may send so much at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Message, Receive

from serving.http.admission.limits import Room
from serving.http.refusals import RequestRefused


@asynccontextmanager
async def body_of(
    receive: Receive, max_bytes: int, memory: Room, caller: str
) -> AsyncIterator[bytes]:
    """Read a body, whatever its Content-Length claims; its memory is counted until it was used.

    Raises
    ------
    RequestRefused
        It is too large, ends early, or all callers hold too much.
    """
    parts: list[bytes] = []
    size = 0
    try:
        more = True
        while more:
            message: Message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestRefused(400, "the body ended early", "send the whole body again")
            part = message.get("body", b"")
            if size + len(part) > max_bytes:
                raise RequestRefused(
                    413,
                    f"the body is larger than {max_bytes // 1024} KiB",
                    "send less at once: fewer subjects or fewer days",
                )
            memory.take(caller, len(part))
            size += len(part)
            parts.append(part)
            more = message.get("more_body", False)
        yield b"".join(parts)
    finally:
        memory.give_back(caller, size)
