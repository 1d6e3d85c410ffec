"""Load on a server of this machine: over so many connections without pause, or at a rate."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SETTLE_SECONDS = 2.0
"""At the start of a flood, that opens its connections all at once: not counted."""


@dataclass
class Connections:
    """Connections kept open to one route, and how long each answer took, by status."""

    port: int
    request: bytes
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    times: dict[int, list[float]] = field(default_factory=dict)

    async def ask(self) -> None:
        """Ask once, over a free connection or a new one."""
        connection = self.free.pop() if self.free else await self._opened()
        reader, writer = connection
        started = time.perf_counter()
        writer.write(self.request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.index(b"content-length:") + len(b"content-length:")
        await reader.readexactly(int(head[length:].split(b"\r\n", 1)[0]))
        took = 1000 * (time.perf_counter() - started)
        self.times.setdefault(int(head.split(b" ", 2)[1]), []).append(took)
        self.free.append(connection)

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def close(self) -> None:
        """Close them all."""
        for _, writer in self.free:
            writer.close()


def request_of(path: str, token: str, body: bytes) -> bytes:
    """Return the bytes of a request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def hammer(port: int, request: bytes, concurrency: int, seconds: float) -> dict[str, Any]:
    """Ask without pause over so many connections."""
    connections = Connections(port, request)
    end = time.perf_counter() + seconds

    async def one() -> None:
        while time.perf_counter() < end:
            await connections.ask()

    await asyncio.gather(*(one() for _ in range(concurrency)))
    connections.close()
    return _summary(connections, seconds)


async def flood(port: int, request: bytes, rate: float, seconds: float) -> dict[str, Any]:
    """Ask so many times a second, whether or not the answers come."""
    connections = Connections(port, request)
    started, sent = time.perf_counter(), 0
    tasks: set[asyncio.Task[None]] = set()
    settled = False
    while (passed := time.perf_counter() - started) < seconds + SETTLE_SECONDS:
        if passed >= SETTLE_SECONDS and not settled:
            settled, connections.times = True, {}
        while sent < passed * rate:
            task = asyncio.create_task(connections.ask())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)
    connections.close()
    return {**_summary(connections, seconds), "asked_per_s": sent / (seconds + SETTLE_SECONDS)}


def _summary(connections: Connections, seconds: float) -> dict[str, Any]:
    good = connections.times.get(200, [0.0])
    shed = connections.times.get(429, [])
    others = [each for status, each in connections.times.items() if status not in {200, 429}]
    return {
        "per_s": len(good) / seconds,
        "p50_ms": float(np.quantile(good, 0.5)),
        "p99_ms": float(np.quantile(good, 0.99)),
        "errors": sum(map(len, others)),
        "shed": len(shed),
        "shed_p99_ms": float(np.quantile(shed, 0.99)) if shed else 0.0,
    }
