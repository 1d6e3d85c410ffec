"""A database or registry fails while in use: forecasts go on, what must be stored is refused."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from inference.bundle import verify_bundle
from serving.http.examples import RECORD
from serving.state.store import Store
from serving.state.verification import verify_chain

FEEDBACK = {"forecast_id": "0" * 32, "outcome": "accepted"}
STORE_AWAY = "takes no entries"


def chain_length(url: str) -> int:
    with closing(Store(url)) as store:
        return verify_chain(store)


def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def forecasts_go_on_and_what_must_be_stored_is_refused(server: Any) -> None:
    """Forecasts in time, 503 with Retry-After for what must be stored, and /readyz says why."""
    started = time.monotonic()
    answered = server.http.post("/v1/forecast", json=RECORD)
    assert answered.json()["status"] == "forecast"
    assert time.monotonic() - started < 5
    for route, body in (
        ("/v1/observations", {**RECORD, "subject": "while-away"}),
        ("/v1/feedback", FEEDBACK),
    ):
        refused = server.http.post(route, json=body)
        assert (refused.status_code, refused.headers.get("retry-after")) == (503, "5"), route
        assert refused.json()["reason"] == "the service's store does not answer"
    until(lambda: STORE_AWAY in server.http.get("/readyz").text)
    assert server.http.get("/readyz").status_code == 503
    # A proxy that took the service out now would end the forecasts that go on.
    for probe in ("/livez", "/healthz"):
        assert server.http.get(probe).status_code == 200


def test_the_stores_tables_are_gone(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    tables = ("service_entry", "service_patient", "service_consent")
    with serve(tmp_path, bundle_folder) as server:
        assert until_ready(server), server.log
        lock = sqlite3.connect(tmp_path / "service.db", isolation_level=None)
        for table in tables:
            lock.execute(f"ALTER TABLE {table} RENAME TO away_{table}")
        forecasts_go_on_and_what_must_be_stored_is_refused(server)
        for table in tables:
            lock.execute(f"ALTER TABLE away_{table} RENAME TO {table}")
        lock.close()
        assert until_ready(server, 30)
    assert chain_length(server.store_url) == 1


def tokens_that_need_no_store_are_checked(server: Any, signers: Any) -> None:
    """While more callers than there are threads wait for the store, others and probes do not."""

    def ask(token: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{server.address}/v1/forecast", json=RECORD, headers=headers, timeout=30)

    with ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(ask, signers.asserted()) for _ in range(12)]
        # Longer than a probe's last answer is given again.
        time.sleep(1.2)
        for _ in range(3):
            started = time.monotonic()
            assert ask(signers.issued()).status_code == 200
            assert httpx.get(f"{server.address}/livez").status_code == 200
            # It waits for the store, but not for long.
            assert httpx.get(f"{server.address}/readyz", timeout=30).status_code == 503
            assert time.monotonic() - started < 4
        assert {one.result().status_code for one in waiting} == {503}


@pytest.mark.soak
def test_somebody_holds_the_stores_lock(
    serve: Any, until_ready: Any, signers: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    """A database that hangs delays nobody who does not need it."""
    with serve(tmp_path, bundle_folder) as server:
        assert until_ready(server), server.log
        with sqlite3.connect(tmp_path / "service.db", isolation_level=None) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            tokens_that_need_no_store_are_checked(server, signers)
            forecasts_go_on_and_what_must_be_stored_is_refused(server)
            lock.execute("ROLLBACK")
        lock.close()
        assert until_ready(server, 30)
    assert chain_length(server.store_url) == 4


@contextmanager
def no_room(server: Any) -> Iterator[None]:
    """Prevent all processes of the server from making any file longer, as if the disk were full."""
    processes = [psutil.Process(server.process.pid)]
    processes += processes[0].children(recursive=True)
    before = {
        process.pid: resource.prlimit(process.pid, resource.RLIMIT_FSIZE) for process in processes
    }
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    yield
    for pid, limits in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def is_alive(server: Any) -> bool:
    try:
        return bool(server.http.get("/livez").status_code == 200)
    except httpx.TransportError:
        return False


def test_the_disk_is_full(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    """Even before the first request: counting and logging it must not need a file."""
    with serve(tmp_path, bundle_folder) as server:
        until(lambda: is_alive(server), 150)
        with no_room(server):
            forecasts_go_on_and_what_must_be_stored_is_refused(server)
        assert until_ready(server, 30)
        sent = server.http.post("/v1/observations", json={**RECORD, "subject": "while-away"})
        # Nothing was stored in part: the whole record is new.
        assert sent.json() == {"subject": "while-away", "sent": 3, "on_record": 3}
    assert chain_length(server.store_url) == 1


def test_the_database_server_is_gone(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path, postgres: Any
) -> None:
    with serve(tmp_path, bundle_folder, store=postgres.url) as server:
        assert until_ready(server), server.log
        kept = {**RECORD, "subject": "kept"}
        assert server.http.post("/v1/observations", json=kept).status_code == 200
        postgres.stop()
        forecasts_go_on_and_what_must_be_stored_is_refused(server)
        on_record = server.http.post("/v1/forecast", json={"subject": "kept"})
        assert on_record.status_code == 503
        postgres.start()
        assert until_ready(server, 60), server.log
        assert server.http.post("/v1/forecast", json={"subject": "kept"}).status_code == 200
    assert chain_length(postgres.url) == 2


def test_the_ledger_and_then_the_registry_are_gone(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    """Here both are files: who is champion, and the champion's folder."""
    registry = tmp_path / "registry"
    shutil.copytree(bundle_folder, registry)
    with serve(tmp_path, registry) as server:
        assert until_ready(server), server.log
        ledger = tmp_path / "champion.txt"
        ledger.rename(tmp_path / "away.txt")
        until(lambda: "the ledger cannot be reached" in server.http.get("/readyz").text)
        answered = server.http.post("/v1/forecast", json=RECORD).json()
        assert (answered["status"], answered["model"]["model_version"]) == ("forecast", "arm/1")
        (tmp_path / "away.txt").rename(ledger)
        assert until_ready(server, 30)
        digest = verify_bundle(registry)
        shutil.rmtree(registry)
        server.promote("arm/2", registry, digest)
        until(lambda: "cannot be loaded" in server.http.get("/readyz").text)
        answered = server.http.post("/v1/forecast", json=RECORD).json()
        assert (answered["status"], answered["model"]["model_version"]) == ("forecast", "arm/1")
        assert server.http.post("/v1/observations", json=RECORD).status_code == 200
