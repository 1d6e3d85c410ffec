"""A proxy that a test can change: asks the next server where one fails, as a hospital's does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

SECONDS = 30.0
"""How long a request is tried."""

PAUSE_SECONDS = 0.1

Exchange = tuple[bytes, bytes]


@dataclass
class Proxy:
    """Where it listens, and to whom it passes requests; the list may change at any time."""

    port: int = 0
    upstreams: list[int] = field(default_factory=list)
    retried: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on the requests of one connection."""
        try:
            while True:
                head, body = await message(reader)
                answer = await self.answer(head + body)
                writer.write(b"".join(answer))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The caller has left, or the test has ended.
            pass
        finally:
            writer.close()

    async def answer(self, request: bytes) -> Exchange:
        """Ask the servers in turn until one answers in full."""
        deadline = time.monotonic() + SECONDS
        while True:
            for port in list(self.upstreams):
                try:
                    return await ask(port, request)
                except (OSError, asyncio.IncompleteReadError, TimeoutError):
                    self.retried += 1
            if time.monotonic() > deadline:
                return b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", b""
            await asyncio.sleep(PAUSE_SECONDS)


async def ask(port: int, request: bytes) -> Exchange:
    """Ask one server, over a connection of its own."""
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            return await message(reader)
        finally:
            writer.close()


async def message(reader: asyncio.StreamReader) -> Exchange:
    """Read the head and the body of a request or an answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, _, after = head.lower().partition(b"content-length:")
    length = int(after.partition(b"\r\n")[0]) if after else 0
    return head, await reader.readexactly(length)


@contextmanager
def proxied(*upstreams: int) -> Iterator[Proxy]:
    """Run a proxy in a thread of its own."""
    proxy = Proxy(upstreams=list(upstreams))
    loop = asyncio.new_event_loop()

    async def listen() -> asyncio.Server:
        listening = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
        proxy.port = listening.sockets[0].getsockname()[1]
        return listening

    async def stop(listening: asyncio.Server) -> None:
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(stop(listening), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
