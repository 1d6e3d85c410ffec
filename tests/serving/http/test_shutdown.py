"""A worker that is stopped under load."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from serving.http.examples import RECORD
from serving.state.store import Store
from serving.state.verification import verify_chain


def test_a_shutdown_under_load_drops_nothing_and_the_log_is_complete(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    """Callers who leave when they are asked to (`Connection: close`) lose no request at all."""
    answers: list[httpx.Response] = []
    lost: list[httpx.TransportError] = []
    ask = {**RECORD, "explain": False}
    with serve(tmp_path, bundle_folder) as server:
        assert until_ready(server), server.log

        def run() -> None:
            with httpx.Client(headers=dict(server.http.headers), timeout=30) as http:
                asked_to_leave = False
                while not asked_to_leave:
                    try:
                        answers.append(http.post(f"{server.address}/v1/forecast", json=ask))
                    except httpx.TransportError as error:
                        lost.append(error)
                        return
                    asked_to_leave = answers[-1].headers.get("connection") == "close"

        with ThreadPoolExecutor(8) as pool:
            for _ in range(8):
                pool.submit(run)
            time.sleep(2)
            os.killpg(server.process.pid, signal.SIGTERM)
            time.sleep(0.3)
            # Who has not noticed yet is still answered, and the probes say why to leave.
            for probe in ("/readyz", "/healthz"):
                late = httpx.get(f"{server.address}{probe}")
                assert (late.status_code, late.headers["connection"]) == (503, "close")
                assert "shutting down" in late.text
            assert httpx.get(f"{server.address}/livez").status_code == 200
        server.process.wait(timeout=40)
    assert lost == []
    assert {answer.status_code for answer in answers} == {200}
    assert verify_chain(Store(server.store_url)) == len(answers)
