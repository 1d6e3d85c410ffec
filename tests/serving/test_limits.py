from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from serving.examples import RECORD
from serving.limits import RateLimit


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
    many = {"requests": [{**RECORD, "subject": f"P-{n}", "explain": False} for n in range(8)]}
    statuses: list[tuple[int, str | None]] = []

    def ask() -> None:
        with httpx.Client(headers=dict(server.http.headers), timeout=120) as http:
            answer = http.post(f"{server.address}/v1/forecasts", json=many)
        statuses.append((answer.status_code, answer.headers.get("retry-after")))

    threads = [threading.Thread(target=ask) for _ in range(160)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in statuses} == {200, 429}
    assert {after for status, after in statuses if status == 429} == {"1"}
