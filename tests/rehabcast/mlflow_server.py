"""A real MLflow server for tests, on a port that nobody else took meanwhile."""

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

STARTS, SECONDS = 3, 180


@contextmanager
def mlflow_server(folder: Path, database: str, *more: str) -> Iterator[int]:
    """Yield the port. Tests run side by side, so a free port may be taken before it is used."""
    for _ in range(STARTS):
        port = free_port()
        process = _started(folder, database, port, more)
        try:
            if _answers(port, process):
                yield port
                return
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)
    raise AssertionError((folder / "mlflow.log").read_text()[-2000:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _started(
    folder: Path, database: str, port: int, more: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database,
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *more,
    ]  # fmt: skip
    # The processes that run MLflow's own jobs take seconds to start and nothing here needs them.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "mlflow.log").open("w") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env=environment, start_new_session=True
        )


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health").status_code == httpx.codes.OK:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    return False
