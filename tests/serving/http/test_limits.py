from __future__ import annotations

import select
import socket
import time
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from serving.http.examples import RECORD
from serving.http.limits import CONCURRENT, RateLimit

TOO_MANY = 4


def test_a_caller_waits_when_the_bucket_is_empty_and_others_do_not() -> None:
    now = [0.0]
    limit = RateLimit(per_second=2, burst=3, clock=lambda: now[0])
    assert [limit.wait("a") for _ in range(3)] == [0, 0, 0]
    assert limit.wait("a") == pytest.approx(0.5)
    assert limit.wait("b") == 0
    now[0] = 0.5
    assert limit.wait("a") == 0
    assert limit.wait("a") > 0


def test_too_many_at_once_are_told_to_come_back(server: Any) -> None:
    """More callers than there is room for hold their bodies back; the next one must go."""
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
            for _ in range(CONCURRENT + TOO_MANY)
        ]
        for each in asking:
            each.sendall(head.encode())
        shed: list[socket.socket] = []
        deadline = time.monotonic() + 30
        while len(shed) < TOO_MANY and time.monotonic() < deadline:
            shed, _, _ = select.select(asking, [], [], 1)
        told = {each.recv(12) for each in shed}
        assert (len(shed), told) == (TOO_MANY, {b"HTTP/1.1 429"})
        refused = server.http.get("/v1/model")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert server.http.get("/livez").status_code == 200
        held = [each for each in asking if each not in shed]
        for each in held:
            each.sendall(body)
        assert {each.recv(12) for each in held} == {b"HTTP/1.1 200"}
    assert server.http.get("/v1/model").status_code == 200
