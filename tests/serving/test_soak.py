"""Long load: no server error, no growth in memory, and the 99th percentile of times."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from serving.http.examples import RECORD
from serving.state.store import Store
from serving.state.verification import verify_chain
from tests.serving.retrying_proxy import proxied

CALLERS = 4
SECONDS, REQUESTS = 600, 50_000
WARM_SECONDS = 90
"""By then caches are full, and so is what the server keeps of each request for 30 s."""
WARM_REQUESTS = 5_000
LARGEST_GROWTH = 0.02
LATE = "probe too late"


def resident(server: Any) -> int:
    """Return the bytes in memory of the server's processes."""
    parent = psutil.Process(server.process.pid)
    return sum(process.memory_info().rss for process in (parent, *parent.children(recursive=True)))


def resident_by_worker(server: Any) -> list[float]:
    """Return the MiB in memory of each worker, in the order in which they were started."""
    workers = psutil.Process(server.process.pid).children()
    return [worker.memory_info().rss / 2**20 for worker in sorted(workers, key=lambda w: w.pid)]


def begin(server: Any) -> None:
    """Put on record the person whose course is asked for, or the first to ask is told of none."""
    record = {**RECORD, "subject": "P-2"}
    assert server.http.post("/v1/observations", json=record).status_code == 200


def told(answer: httpx.Response) -> int | str:
    """Return the status of an answer, and of a probe whose second passed that it did.

    A second passes where the machine is busy with something else; that the store still answers, the
    other requests say.
    """
    is_late = answer.status_code == 503 and "has not answered for" in answer.text
    return LATE if is_late and answer.url.path == "/readyz" else answer.status_code


def send(http: httpx.Client, n: int) -> httpx.Response:
    """Send one of several kinds of request; most are forecasts."""
    if n % 50 == 1:
        return http.post("/v1/forecast", json=RECORD)
    if n % 50 == 2:
        return http.post("/v1/observations", json={**RECORD, "subject": f"P-{n % 1_000}"})
    if n % 50 == 3:
        return http.get("/v1/subjects/P-2/course")
    if n % 50 == 4:
        return http.post("/v1/forecast", json={"subject": "P-1", "enrolment_day": None, "x": 1})
    if n % 50 == 5:
        return http.get("/readyz")
    return http.post("/v1/forecast", json={**RECORD, "explain": False})


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 3])
def test_ten_minutes_of_load_give_no_server_error_and_no_growth(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path, capsys: Any, workers: int
) -> None:
    statuses: Counter[int | str] = Counter()
    milliseconds: list[float] = []
    counted, stop = threading.Lock(), threading.Event()

    def run(caller: int) -> None:
        headers, n = dict(server.http.headers), caller
        with httpx.Client(base_url=server.address, headers=headers, timeout=30) as http:
            while not stop.is_set():
                started = time.perf_counter()
                status = told(send(http, n))
                with counted:
                    statuses[status] += 1
                    milliseconds.append(1000 * (time.perf_counter() - started))
                n += CALLERS

    with serve(tmp_path, bundle_folder, workers=workers) as server:
        assert until_ready(server), server.log
        begin(server)
        with ThreadPoolExecutor(CALLERS) as pool:
            running = [pool.submit(run, caller) for caller in range(CALLERS)]
            try:
                time.sleep(WARM_SECONDS)
                started, warm, first = time.monotonic(), resident(server), len(milliseconds)
                while (
                    time.monotonic() - started < SECONDS - WARM_SECONDS
                    or len(milliseconds) - first < REQUESTS
                ):
                    # Without callers there will never be as many requests.
                    assert not any(one.done() for one in running), server.log
                    time.sleep(1)
                growth = resident(server) / warm - 1
            finally:
                stop.set()
        assert [caller.exception() for caller in running] == [None] * CALLERS
    p50, p99 = np.quantile(milliseconds[first:], [0.5, 0.99])
    with capsys.disabled():
        print(  # noqa: T201  (the figures are what it is run for)
            f"\n{len(milliseconds)} requests, statuses {dict(statuses)}, p50 {p50:.1f} ms,"
            f" p99 {p99:.1f} ms, memory {warm / 2**20:.0f} MiB, growth {growth:+.2%}"
            f" over {len(milliseconds) - first} requests"
        )
    assert set(statuses) <= {200, 400, 422, LATE}
    assert statuses[LATE] < statuses[200] / 1_000
    assert growth < LARGEST_GROWTH
    with closing(Store(server.store_url)) as store:
        assert verify_chain(store) > REQUESTS / 2


@pytest.mark.soak
def test_three_workers_behind_a_proxy_on_postgresql_do_not_grow(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path, postgres: Any, capsys: Any
) -> None:
    statuses: Counter[int | str] = Counter()
    counted, stop = threading.Lock(), threading.Event()

    def run(port: int, headers: dict[str, str], caller: int) -> None:
        n = caller
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as http:
            while not stop.is_set():
                status = told(send(http, n))
                with counted:
                    statuses[status] += 1
                n += CALLERS

    with (
        serve(tmp_path, bundle_folder, workers=3, store=postgres.url) as server,
        proxied(int(server.address.rpartition(":")[2])) as proxy,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        assert until_ready(server), server.log
        begin(server)
        headers = {"authorization": server.http.headers["authorization"]}
        running = [pool.submit(run, proxy.port, headers, caller) for caller in range(CALLERS)]
        measured: list[tuple[int, list[float]]] = []
        try:
            for requests in (WARM_REQUESTS, REQUESTS // 2, REQUESTS, WARM_REQUESTS + REQUESTS):
                while (sent := statuses.total()) < requests:
                    assert not any(one.done() for one in running), server.log
                    time.sleep(0.2)
                measured.append((sent, resident_by_worker(server)))
                with capsys.disabled():
                    print(f"\n{sent} requests, MiB of each worker {measured[-1][1]}")  # noqa: T201
        finally:
            stop.set()
    first, last = measured[0][1], measured[-1][1]
    growth = [after / before - 1 for before, after in zip(first, last, strict=True)]
    with capsys.disabled():
        print(f"statuses {dict(statuses)}, growth {growth}")  # noqa: T201
    assert set(statuses) <= {200, 400, 422, LATE}
    assert statuses[LATE] < statuses[200] / 1_000
    assert sum(last) / sum(first) - 1 < LARGEST_GROWTH, (measured, growth)
    with closing(Store(postgres.url)) as store:
        assert verify_chain(store) > REQUESTS / 2
