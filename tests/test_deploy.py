from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from serving.http.examples import RECORD

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "a-token-of-the-tests"  # noqa: S105


def test_the_compose_file_is_valid_and_publishes_one_port_only() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
    services = compose["services"]
    assert set(services) == {"database", "egress", "mlflow", "service", "proxy"}
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    for service in services.values():
        assert set(service["networks"]) <= set(compose["networks"])
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
        assert set(service.get("depends_on", {})) <= set(services)
    inside = {name for name, network in compose["networks"].items() if network.get("internal")}
    assert inside == {"data", "front", "egress"}


@pytest.mark.soak
def test_a_bento_of_a_clean_clone_serves_what_the_demonstration_promoted(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    bare = {
        "PATH": "/usr/bin:/bin", "BENTOML_HOME": str(tmp_path / "b"), "HOME": str(tmp_path),
        "BENTOML_DO_NOT_TRACK": "True", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    build = [sys.executable, "-m", "bentoml", "build"]
    done = subprocess.run(
        build, cwd=clone, capture_output=True, text=True, check=False,
        env={**bare, "PYTHONPATH": str(clone)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    demo = [Path(sys.executable).with_name("rehabcast"), "demo"]
    made = subprocess.run(
        demo, cwd=clone, capture_output=True, text=True, check=False, env={**os.environ, **bare}
    )
    assert made.returncode == 0, made.stderr[-2000:]
    stores = clone / "mlruns"
    settings = {
        "REHABCAST_HOME": str(stores),
        "REHABCAST_TRACKING_URI": f"sqlite:///{stores / 'mlflow.db'}",
        "REHABCAST_LEDGER_URL": f"sqlite:///{stores / 'ledger.db'}",
        "REHABCAST_STORE_URL": f"sqlite:///{stores / 'service.db'}",
        "REHABCAST_DEVELOPMENT_TOKEN": TOKEN,
    }
    (bento,) = (tmp_path / "b" / "bentos" / "rehabcast").glob("*/src")
    image = (bento.parent / "env" / "docker" / "Dockerfile").read_text()
    assert image.strip() == (clone / "deploy" / "Containerfile").read_text("utf-8").strip()
    with _served(bento, tmp_path / "bento.log", env={**bare, **settings}) as address:
        response = httpx.post(
            f"{address}/v1/forecast", json=RECORD, timeout=30,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )  # fmt: skip
    assert response.json()["status"] in {"forecast", "no forecast"}, response.text
    assert response.json()["model"]["simulated"] is True


@contextmanager
def _served(source: Path, log: Path, env: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = [sys.executable, "-m", "rehabcast", "serve", "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(
            serve, cwd=source, env=env, stdout=output, stderr=output, start_new_session=True
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=40)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(log.read_text())
