"""Load on a local server: over a number of connections without pause, or at a fixed rate."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SETTLE_SECONDS = 2.0
"""Not counted: at the start, a flood opens all its connections at once."""


@dataclass
class Connections:
    """Connections kept open to one route, and how long each answer took, by status."""

    port: int
    request: bytes
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    times: dict[int, list[float]] = field(default_factory=dict)

    async def send(self) -> None:
        """Send one request, over a free connection or a new one."""
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
        """Close all connections."""
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
    """Send requests without pause over a number of connections."""
    connections = Connections(port, request)
    end = time.perf_counter() + seconds

    async def one() -> None:
        while time.perf_counter() < end:
            await connections.send()

    await asyncio.gather(*(one() for _ in range(concurrency)))
    connections.close()
    return _summary(connections, seconds)


async def flood(port: int, request: bytes, rate: float, seconds: float) -> dict[str, Any]:
    """Send requests at a fixed rate, whether or not answers come."""
    connections = Connections(port, request)
    started, sent = time.perf_counter(), 0
    tasks: set[asyncio.Task[None]] = set()
    settled = False
    while (passed := time.perf_counter() - started) < seconds + SETTLE_SECONDS:
        if passed >= SETTLE_SECONDS and not settled:
            settled, connections.times = True, {}
        while sent < passed * rate:
            task = asyncio.create_task(connections.send())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)
    connections.close()
    return {**_summary(connections, seconds), "sent_per_s": sent / (seconds + SETTLE_SECONDS)}


def _summary(connections: Connections, seconds: float) -> dict[str, Any]:
    good = connections.times.get(200, [0.0])
    shed = connections.times.get(429, [])
    others = [times for status, times in connections.times.items() if status not in {200, 429}]
    return {
        "per_s": len(good) / seconds,
        "p50_ms": float(np.quantile(good, 0.5)),
        "p99_ms": float(np.quantile(good, 0.99)),
        "errors": sum(map(len, others)),
        "shed": len(shed),
        "shed_p99_ms": float(np.quantile(shed, 0.99)) if shed else 0.0,
    }
