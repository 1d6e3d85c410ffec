"""The service while things change: another champion, an end under load."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.bundle import CARD_FILE, MANIFEST_FILE, Manifest
from contracts.digests import file_digest
from inference.bundle import verify_bundle
from serving.http.examples import RECORD
from serving.state.forecast_log import verify_chain
from serving.state.store import Store


@pytest.fixture(scope="module")
def other_folder(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another sound bundle: the same network, another card, so another digest."""
    folder = tmp_path_factory.mktemp("other") / "bundle"
    shutil.copytree(bundle_folder, folder)
    (folder / CARD_FILE).write_text("# Other\n")
    manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    files = {**manifest.files, CARD_FILE: file_digest(folder / CARD_FILE)}
    changed = manifest.model_copy(update={"files": files})
    (folder / MANIFEST_FILE).write_text(changed.model_dump_json())
    return folder


@contextmanager
def load(server: Any, threads: int, told: list[httpx.Response]) -> Iterator[None]:
    """Ask without pause from several threads; everything that comes back is in `told`."""
    stop = threading.Event()
    ask = {**RECORD, "explain": False}

    def run() -> None:
        while not stop.is_set():
            told.append(server.http.post("/v1/forecast", json=ask))

    with ThreadPoolExecutor(threads) as pool:
        for _ in range(threads):
            pool.submit(run)
        try:
            yield
        finally:
            stop.set()


@pytest.mark.parametrize("swaps", [8, pytest.param(50, marks=pytest.mark.soak)])
def test_swaps_under_load_give_no_error_and_no_mixed_answer(
    swaps: int,
    serve: Any,
    until_ready: Any,
    bundle_folder: Path,
    other_folder: Path,
    tmp_path: Path,
) -> None:
    digests = {
        "arm/1": verify_bundle(bundle_folder),
        "arm/2": verify_bundle(other_folder),
    }
    told: list[httpx.Response] = []
    with serve(tmp_path, bundle_folder) as server:
        assert until_ready(server), server.log
        with load(server, 2, told):
            for n in range(swaps):
                version = f"arm/{1 + (n + 1) % 2}"
                server.promote(version, other_folder if version == "arm/2" else bundle_folder)
                deadline = time.monotonic() + 30
                while server.http.get("/v1/model").json()["model"]["model_version"] != version:
                    assert time.monotonic() < deadline
        broken = tmp_path / "broken"
        shutil.copytree(other_folder, broken)
        good = verify_bundle(broken)
        (broken / CARD_FILE).write_text("# Tampered\n")
        (tmp_path / "champion.txt").write_text(f"arm/3 {broken} {good}")
        deadline = time.monotonic() + 30
        while server.http.get("/readyz").status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "cannot be loaded" in server.http.get("/readyz").text
        assert (
            server.http.post("/v1/forecast", json=RECORD).json()["model"]["model_version"]
            != "arm/3"
        )
    assert {each.status_code for each in told} == {200}
    seen = {
        (each.json()["model"]["model_version"], each.json()["model"]["bundle_digest"])
        for each in told
    }
    assert seen == set(digests.items())


def test_an_end_under_load_drops_nothing_and_the_chain_holds(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    """Callers who go when they are told to (`Connection: close`) lose no request at all."""
    answered: list[httpx.Response] = []
    lost: list[httpx.TransportError] = []
    ask = {**RECORD, "explain": False}
    with serve(tmp_path, bundle_folder) as server:
        assert until_ready(server), server.log

        def run() -> None:
            with httpx.Client(headers=dict(server.http.headers), timeout=30) as http:
                told_to_go = False
                while not told_to_go:
                    try:
                        answered.append(http.post(f"{server.address}/v1/forecast", json=ask))
                    except httpx.TransportError as error:
                        lost.append(error)
                        return
                    told_to_go = answered[-1].headers.get("connection") == "close"

        with ThreadPoolExecutor(8) as pool:
            for _ in range(8):
                pool.submit(run)
            time.sleep(2)
            os.killpg(server.process.pid, signal.SIGTERM)
            time.sleep(0.3)
            # Who has not heard is still let in, and told by the probe.
            late = httpx.get(f"{server.address}/readyz")
            assert (late.status_code, late.headers["connection"]) == (503, "close")
            assert "ending" in late.text
        server.process.wait(timeout=40)
    assert lost == []
    assert {each.status_code for each in answered} == {200}
    assert verify_chain(Store(server.store_url)) == len(answered)


def test_two_workers_give_the_numbers_of_one(
    serve: Any, until_ready: Any, server: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    one = server.http.post("/v1/forecast", json=RECORD).json()
    with serve(tmp_path, bundle_folder, workers=2) as two:
        assert until_ready(two), two.log
        for _ in range(12):
            with httpx.Client(headers=dict(two.http.headers), timeout=30) as http:
                told = http.post(f"{two.address}/v1/forecast", json=RECORD).json()
            assert (told["horizons"], told["reasons"]) == (one["horizons"], one["reasons"])
    assert verify_chain(Store(two.store_url)) == 12


@pytest.mark.parametrize("count", [60, pytest.param(5_000, marks=pytest.mark.soak)])
def test_planted_strings_reach_no_log_metric_or_error(server: Any, count: int) -> None:
    """Canaries in every field, path, query, header and name that a caller can fill."""
    canaries = [f"CANARY{n:04d}" for n in range(count)]
    errors = []
    for n, canary in enumerate(canaries):
        score = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
        tries: list[httpx.Response] = []
        ask = [
            {**RECORD, "subject": canary},
            {**RECORD, "subject": f"{canary} with spaces"},
            {**RECORD, canary: canary},
            {**RECORD, "observations": [{**score, canary: 1}]},
            {**RECORD, "observations": [{**score, "value": canary}]},
            {
                "subject": "P",
                "bundle": {"resourceType": canary, "entry": [{"resource": {canary: canary}}]},
            },
        ]
        tries.append(server.http.post("/v1/forecast", json=ask[n % len(ask)]))
        if n % 10 == 0:
            tries.append(server.http.get(f"/v1/subjects/{canary}/course"))
            tries.append(server.http.get(f"/{canary}", params={canary: canary}))
            tries.append(
                server.http.post("/v1/feedback", json={"forecast_id": canary, "outcome": canary})
            )
            bad = {"Authorization": f"Bearer {canary}", "X-Name": canary}
            tries.append(server.http.get("/v1/model", headers=bad))
            tries.append(server.http.request(canary, "/v1/model"))
        errors += [each.text for each in tries if each.status_code >= 400]
    everything = server.log + server.http.get("/metrics").text + "".join(errors)
    assert [canary for canary in canaries if canary in everything] == []
