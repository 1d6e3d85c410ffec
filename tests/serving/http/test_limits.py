from __future__ import annotations

import select
import socket
import time
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from serving.http.examples import RECORD
from serving.http.limits import MAX_REQUESTS, RateLimit

TOO_MANY = 4


def test_a_caller_waits_when_the_bucket_is_empty_and_others_do_not() -> None:
    now = [0.0]
    limit = RateLimit(per_second=2, burst=3, clock=lambda: now[0])
    assert [limit.seconds_to_wait("a") for _ in range(3)] == [0, 0, 0]
    assert limit.seconds_to_wait("a") == pytest.approx(0.5)
    assert limit.seconds_to_wait("b") == 0
    now[0] = 0.5
    assert limit.seconds_to_wait("a") == 0
    assert limit.seconds_to_wait("a") > 0


def test_too_many_at_once_get_429_and_retry_after(server: Any) -> None:
    """More callers than there is room for hold back their bodies; the next one is refused."""
    host, port = server.http.base_url.host, server.http.base_url.port
    token = server.http.headers["authorization"]
    body = msgspec.json.encode({**RECORD, "explain": False})
    head = (
        f"POST /v1/forecast HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with ExitStack() as stack:
        asking = [
            stack.enter_context(socket.create_connection((host, port)))
            for _ in range(MAX_REQUESTS + TOO_MANY)
        ]
        for connection in asking:
            connection.sendall(head.encode())
        shed: list[socket.socket] = []
        deadline = time.monotonic() + 30
        while len(shed) < TOO_MANY and time.monotonic() < deadline:
            shed, _, _ = select.select(asking, [], [], 1)
        statuses = {connection.recv(12) for connection in shed}
        assert (len(shed), statuses) == (TOO_MANY, {b"HTTP/1.1 429"})
        refused = server.http.get("/v1/model")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert server.http.get("/livez").status_code == 200
        held = [connection for connection in asking if connection not in shed]
        for connection in held:
            connection.sendall(body)
        assert {connection.recv(12) for connection in held} == {b"HTTP/1.1 200"}
    assert server.http.get("/v1/model").status_code == 200
