from __future__ import annotations

import select
import socket
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from contracts.errors import RehabcastError
from serving.http.admission.limits import MAX_CALLERS, MAX_REQUESTS_OF_ONE, RateLimit, Room
from serving.http.examples import RECORD
from tests.refusals import refuses

TOO_MANY = 4


def test_a_caller_waits_when_the_bucket_is_full_and_others_do_not() -> None:
    now = [10.0]
    limit = RateLimit(per_second=2, burst=3, clock=lambda: now[0])
    assert [limit.seconds_to_wait("a") for _ in range(3)] == [0, 0, 0]
    assert limit.seconds_to_wait("a") == pytest.approx(0.5)
    assert limit.seconds_to_wait("b") == 0
    now[0] += 0.5
    assert limit.seconds_to_wait("a") == 0
    assert limit.seconds_to_wait("a") > 0


def test_a_crowd_of_new_callers_does_not_give_an_old_one_a_new_bucket() -> None:
    limit = RateLimit(per_second=1, burst=1, clock=lambda: 10.0)
    assert limit.seconds_to_wait("greedy") == 0
    for n in range(2 * MAX_CALLERS):
        limit.seconds_to_wait(f"new {n}")
        if n % 1_000 == 0:
            assert limit.seconds_to_wait("greedy") > 0


def test_one_caller_has_a_part_of_the_room_only() -> None:
    room = Room(3, 2, "too many")
    with room.taken("a"), room.taken("a"):
        with refuses(RehabcastError, match="too many from one caller"):
            room.take("a")
        with room.taken("b"), refuses(RehabcastError, match="too many"):
            room.take("c")
        room.take("b")
    room.take("a", 2)


def connection_to(server: Any) -> socket.socket:
    return socket.create_connection((server.http.base_url.host, server.http.base_url.port))


def request_of(server: Any, body: bytes) -> tuple[bytes, bytes]:
    """Return the head of a request for a forecast, and its body."""
    head = (
        f"POST /v1/forecast HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: {server.http.headers['authorization']}\r\n"
        "Content-Type: application/json\r\n\r\n"
    )
    return head.encode(), body


def test_a_request_whose_body_is_not_there_takes_no_slot(server: Any) -> None:
    """Neither with a token nor without one: everybody else is answered meanwhile."""
    head, body = request_of(server, msgspec.json.encode({**RECORD, "explain": False}))
    with ExitStack() as stack:
        asking = [
            stack.enter_context(connection_to(server))
            for _ in range(MAX_REQUESTS_OF_ONE + TOO_MANY)
        ]
        for connection in asking:
            connection.sendall(head + body[:10])
        for _ in range(5):
            assert server.http.post("/v1/forecast", json=RECORD).status_code == 200
            assert server.http.get("/readyz").status_code == 200
        for connection in asking:
            connection.sendall(body[10:])
        # All at once, and more than one caller may have: those beyond are refused.
        answers = [answer_of(connection) for connection in asking]
    statuses = Counter(answer.split(b" ")[1] for answer in answers)
    assert set(statuses) <= {b"200", b"429"}
    assert statuses[b"200"] >= MAX_REQUESTS_OF_ONE
    for answer in answers:
        assert (b"retry-after: 1" in answer) is answer.startswith(b"HTTP/1.1 429")
    assert server.http.get("/v1/model").status_code == 200


def answer_of(connection: socket.socket) -> bytes:
    connection.settimeout(30)
    return connection.recv(65_536)


def test_what_one_caller_may_ask_for_at_once_leaves_room_for_others(
    server: Any, signers: Any
) -> None:
    """More slow forecasts of one caller than there are slots for one; another one is answered."""
    slow = msgspec.json.encode({"requests": [RECORD] * 8})
    head, body = request_of(server, slow)
    head = head.replace(b"/v1/forecast", b"/v1/forecasts")
    with ExitStack() as stack:
        asking = [
            stack.enter_context(connection_to(server))
            for _ in range(MAX_REQUESTS_OF_ONE + TOO_MANY)
        ]
        for connection in asking:
            connection.sendall(head + body)
        shed, deadline = [], time.monotonic() + 30
        while len(shed) < TOO_MANY and time.monotonic() < deadline:
            shed, _, _ = select.select(asking, [], [], 0.05)
        refused = server.http.get("/v1/model")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert "from one caller" in refused.json()["reason"]
        assert server.http.get("/livez").status_code == 200
        assert server.http.get("/readyz").status_code == 200
        other = {"Authorization": f"Bearer {signers.issued(scope='forecast')}"}
        # It waits for those before it, and is not refused.
        assert server.http.post("/v1/forecast", json=RECORD, headers=other).status_code == 200
