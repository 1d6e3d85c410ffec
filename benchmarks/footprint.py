"""What the service takes: disk, time to the first answer, memory, processor, disk of a record.

The service runs from the environment of its own lock file (`make runtime`) and, as the baseline,
from the whole one, over the home of a demonstration of SIMULATED people.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from serving.http.examples import RECORD

ROOT = Path(__file__).resolve().parents[1]
MODEL = "stroke-upper-limb"
STARTS, FORECASTS = 3, 300
DAYS = 365
DAILY = {"LOINC//41950-7": 4000.0, "LOINC//40443-4": 70.0, "REHABCAST//ARM_USE_RATIO": 0.6}
"""Steps, resting heart rate, and how much the arm was used."""
MEBI = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What one environment takes.

    Parameters
    ----------
    installed
        MB (10^6 bytes) of its packages.
    seconds
        Least of some starts, from the command to the first forecast answered.
    resident
        MiB of the worker after `FORECASTS` forecasts with reasons.
    plain, explained
        Seconds of processor for a thousand forecasts, without and with reasons.
    record
        MB that a patient-year adds to the record: daily values, and a forecast a week.
    """

    installed: float
    seconds: float
    resident: float
    plain: float
    explained: float
    record: float


def main() -> None:
    """Measure both environments, and print a row for each."""
    subprocess.run(["make", "runtime"], cwd=ROOT, check=True)  # noqa: S607
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = folder / "home"
        demonstrate(home)
        for environment in (ROOT / ".runtime", Path(sys.prefix)):
            found = measured(environment, home, folder)
            print(
                f"{environment.name:9} installed {found.installed:5.0f} MB | first forecast after"
                f" {found.seconds:4.1f} s | worker {found.resident:4.0f} MiB | 1,000 forecasts"
                f" {found.plain:5.1f} s, with reasons {found.explained:5.1f} s of processor |"
                f" patient-year {found.record:5.2f} MB"
            )


def demonstrate(home: Path) -> None:
    """Make a home with a champion; its people are SIMULATED."""
    subprocess.run(
        [sys.executable, "-m", "rehabcast", "demo"],
        env={**os.environ, "REHABCAST_HOME": str(home), "PYTHONPATH": str(ROOT)},
        cwd=home.parent, check=True, capture_output=True,
    )  # fmt: skip


def measured(environment: Path, home: Path, folder: Path) -> Footprint:
    """Measure the service of one environment."""
    packages = next(environment.glob("lib/python3*/site-packages"))
    seconds = []
    for _ in range(STARTS):
        with serving(environment, home, folder) as (client, _, started):
            client.post("/v1/forecast", json={**RECORD, "explain": False}).raise_for_status()
            seconds.append(time.perf_counter() - started)
    with serving(environment, home, folder) as (client, worker, _):
        plain = thousand(client, worker, {**RECORD, "explain": False})
        explained = thousand(client, worker, RECORD)
        resident = worker.memory_info().rss / MEBI
        record = year(client, home)
    return Footprint(
        installed=sum(f.lstat().st_size for f in packages.rglob("*") if f.is_file()) / 1e6,
        seconds=min(seconds),
        resident=resident,
        plain=plain,
        explained=explained,
        record=record,
    )


@contextmanager
def serving(
    environment: Path, home: Path, folder: Path
) -> Iterator[tuple[httpx.Client, psutil.Process, float]]:
    """Serve with one worker; yield a client, the worker and when the command was given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    token = secrets.token_urlsafe(24)
    started = time.perf_counter()
    process = psutil.Popen(
        [environment / "bin" / "python", "-m", "rehabcast", "serve", "--port", port],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "REHABCAST_WORKERS": "1",
            "REHABCAST_HOME": str(home), "REHABCAST_MODEL": MODEL,
            "REHABCAST_DEVELOPMENT_TOKEN": token,
        },
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        try:
            while not ready(client):
                if process.poll() is not None:
                    raise RuntimeError("the service ended before it was ready")
                time.sleep(0.02)
            yield client, process, started
        finally:
            process.terminate()
            process.wait(timeout=60)


def ready(client: httpx.Client) -> bool:
    """Return whether the service is ready."""
    try:
        return client.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def thousand(client: httpx.Client, worker: psutil.Process, request: dict[str, Any]) -> float:
    """Return the seconds of processor that a thousand answers take."""
    client.post("/v1/forecast", json=request).raise_for_status()
    before = worker.cpu_times()
    for _ in range(FORECASTS):
        client.post("/v1/forecast", json=request).raise_for_status()
    after = worker.cpu_times()
    taken: float = after.user + after.system - before.user - before.system
    return taken * 1000 / FORECASTS


def year(client: httpx.Client, home: Path) -> float:
    """Put a year of a patient on record, day by day; return by how many MB its database grew."""
    subject = f"P-{secrets.token_hex(4)}"
    before = size(home)
    client.post("/v1/observations", json={**RECORD, "subject": subject}).raise_for_status()
    first = RECORD["enrolment_day"]
    for day in range(first + 1, first + DAYS):
        values = [
            {"day_since_onset": day, "code": code, "value": value} for code, value in DAILY.items()
        ]
        body = {"subject": subject, "observations": values}
        client.post("/v1/observations", json=body).raise_for_status()
        if day % 7 == 0 and day < first + 60:
            client.post("/v1/forecast", json={"subject": subject}).raise_for_status()
    return (size(home) - before) / 1e6


def size(home: Path) -> int:
    """Return the bytes of the service's database and of what it has not yet taken in."""
    return sum(file.stat().st_size for file in home.glob("service*") if file.is_file())


if __name__ == "__main__":
    main()
