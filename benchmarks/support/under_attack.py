"""How long forecasts and probes take beside connections that only keep the server waiting."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from support.hostile import attacked
from support.load import hammer

SETTLE_SECONDS = 3.0
"""Not counted: the connections are opened, and the first are closed."""

PROBE_SECONDS = 0.25


async def probed(port: int, seconds: float) -> list[float]:
    """Probe in turn, a connection each; return how many seconds each took, 99 where it failed."""
    took = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for path in ("/livez", "/readyz"):
            started = time.perf_counter()
            try:
                async with asyncio.timeout(5):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                    answered = (await reader.readline()).startswith(b"HTTP/1.1 200")
                    writer.close()
            except (OSError, TimeoutError):
                answered = False
            took.append(time.perf_counter() - started if answered else 99.0)
        await asyncio.sleep(PROBE_SECONDS)
    return took


async def _load(port: int, request: bytes, callers: int, seconds: float) -> dict[str, Any]:
    probes, figures = await asyncio.gather(
        probed(port, seconds), hammer(port, request, callers, seconds)
    )
    return {**figures, "probes": len(probes), "longest_probe_s": max(probes)}


def measured(
    port: int, request: bytes, token: str, *, hostile: int, callers: int, seconds: float
) -> dict[str, dict[str, Any]]:
    """Load a server without and with hostile connections, in the same minute."""
    asyncio.run(hammer(port, request, callers, 1.0))
    alone = asyncio.run(_load(port, request, callers, seconds))
    with attacked(port, hostile, token):
        time.sleep(SETTLE_SECONDS)
        attacked_too = asyncio.run(_load(port, request, callers, seconds))
    return {"alone": alone, "attacked": attacked_too}
