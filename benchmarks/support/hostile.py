"""Connections that keep a server waiting, each in one of four ways, and that come again.

    python -m support.hostile PORT COUNT TOKEN      until its standard input closes

Half of them come from 127.0.0.1, the others from ten more addresses; half of those who send a body
or read slowly have a token that holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE_SECONDS = 0.5
"""Between two bytes, and before a connection that was closed is opened again."""

WAYS = ("idle", "slow head", "slow body", "slow read")


def head_of(token: str | None, length: int, path: str = "/v1/forecast") -> bytes:
    """Return the head of a request."""
    authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
    method = "POST" if length else "GET"
    return (
        f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        f"{authorization}Content-Length: {length}\r\n\r\n"
    ).encode()


def connected(port: int, number: int) -> socket.socket:
    """Open a connection that takes few bytes at a time, from one of eleven addresses."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_304)
    connection.setblocking(False)
    if number % 2:
        connection.bind((f"127.0.0.{2 + number % 10}", 0))
    with contextlib.suppress(BlockingIOError):
        connection.connect(("127.0.0.1", port))
    return connection


async def keep_waiting(port: int, number: int, token: str) -> None:
    """Keep a server waiting with one connection, until it closes it."""
    loop = asyncio.get_running_loop()
    way = WAYS[number % len(WAYS)]
    own = token if number // len(WAYS) % 2 else None
    with connected(port, number) as connection:
        await asyncio.sleep(PAUSE_SECONDS)
        match way:
            case "idle":
                await loop.sock_recv(connection, 1)
            case "slow head":
                await drip(connection, head_of(own, 8 * 1024 * 1024))
            case "slow body":
                await loop.sock_sendall(connection, head_of(own, 8 * 1024 * 1024))
                await drip(connection, b"{" + b" " * 1_000)
            case _:
                # Each answer is taken by the kernels' buffers, until they are full.
                for _ in range(20):
                    await loop.sock_sendall(connection, head_of(own, 0, "/openapi.json"))
                    await asyncio.sleep(10 * PAUSE_SECONDS)


async def drip(connection: socket.socket, data: bytes) -> None:
    """Send a byte now and again."""
    loop = asyncio.get_running_loop()
    for byte in data:
        await loop.sock_sendall(connection, bytes([byte]))
        await asyncio.sleep(PAUSE_SECONDS)


async def attack(port: int, count: int, token: str) -> None:
    """Keep so many connections open, and open those anew that were closed."""

    async def again(number: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                await keep_waiting(port, number, token)
            await asyncio.sleep(PAUSE_SECONDS)

    tasks = [asyncio.create_task(again(number)) for number in range(count)]
    print("attacking", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()


@contextmanager
def attacked(port: int, count: int, token: str) -> Iterator[None]:
    """Attack a server from another process, for a while."""
    process = subprocess.Popen(  # noqa: S603  (our own command line)
        [sys.executable, "-m", "support.hostile", str(port), str(count), token],
        cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        if process.stdout is not None:
            process.stdout.readline()
        yield
    finally:
        process.communicate(timeout=30)


if __name__ == "__main__":
    asyncio.run(attack(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
