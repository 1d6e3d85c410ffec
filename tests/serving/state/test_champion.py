"""Another champion while requests arrive."""

from __future__ import annotations

import shutil
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


@pytest.fixture(scope="module")
def other_folder(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another valid bundle: the same network with another card, so another digest."""
    folder = tmp_path_factory.mktemp("other") / "bundle"
    shutil.copytree(bundle_folder, folder)
    (folder / CARD_FILE).write_text("# Other\n")
    manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    files = {**manifest.files, CARD_FILE: file_digest(folder / CARD_FILE)}
    changed = manifest.model_copy(update={"files": files})
    (folder / MANIFEST_FILE).write_text(changed.model_dump_json())
    return folder


@contextmanager
def load(server: Any, threads: int, answers: list[httpx.Response]) -> Iterator[None]:
    """Ask without pause from several threads; everything that comes back is in `answers`."""
    stop = threading.Event()
    ask = {**RECORD, "explain": False}

    def run() -> None:
        while not stop.is_set():
            answers.append(server.http.post("/v1/forecast", json=ask))

    with ThreadPoolExecutor(threads) as pool:
        for _ in range(threads):
            pool.submit(run)
        try:
            yield
        finally:
            stop.set()


@pytest.mark.parametrize("swaps", [4, pytest.param(50, marks=pytest.mark.soak)])
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
    answers: list[httpx.Response] = []
    with serve(tmp_path, bundle_folder) as server:
        assert until_ready(server), server.log
        with load(server, 2, answers):
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
        server.promote("arm/3", broken, good)
        deadline = time.monotonic() + 30
        while server.http.get("/readyz").status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "cannot be loaded" in server.http.get("/readyz").text
        assert (
            server.http.post("/v1/forecast", json=RECORD).json()["model"]["model_version"]
            != "arm/3"
        )
    assert {answer.status_code for answer in answers} == {200}
    seen = {
        (answer.json()["model"]["model_version"], answer.json()["model"]["bundle_digest"])
        for answer in answers
    }
    assert seen == set(digests.items())
