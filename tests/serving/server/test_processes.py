"""The processes of the service: which sockets they have, who replaces whom, how they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from serving.http.examples import RECORD


def processes(server: Any) -> list[psutil.Process]:
    parent = psutil.Process(server.process.pid)
    return [parent, *parent.children(recursive=True)]


def listening(found: list[psutil.Process]) -> set[str]:
    """Return every socket that takes connections or datagrams, of any family."""
    links = [link for one in found for link in Path(f"/proc/{one.pid}/fd").iterdir()]
    inodes = {target[len("socket:[") : -1] for target in map(target_of, links)}
    tcp = {(name, row[1]) for name in ("tcp", "tcp6") for row in rows(name)
           if row[9] in inodes and row[3] == "0A"}  # fmt: skip
    datagrams = {(name, row[1]) for name in ("udp", "udp6", "raw", "raw6") for row in rows(name)
                 if row[9] in inodes}  # fmt: skip
    # Flag 0x10000 is a socket that accepts; a path or an abstract name is what others can find.
    unix = {("unix", *row[7:]) for row in rows("unix")
            if row[6] in inodes and (int(row[3], 16) & 0x10000 or len(row) > 7)}  # fmt: skip
    return {" ".join(socket) for socket in tcp | datagrams | unix}


def target_of(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def rows(name: str) -> list[list[str]]:
    path = Path(f"/proc/net/{name}")
    return [line.split() for line in path.read_text().splitlines()[1:]] if path.exists() else []


@pytest.fixture(scope="module")
def three(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    with serve(tmp_path_factory.mktemp("three"), bundle_folder, workers=3) as running:
        assert until_ready(running), running.log
        until(lambda: len(processes(running)) == 4)
        yield running


def until(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_service_listens_on_one_socket_and_no_other(
    server: Any, three: Any, workers: int
) -> None:
    running = server if workers == 1 else three
    assert running.http.post("/v1/forecast", json=RECORD).status_code == 200
    port = int(running.address.rpartition(":")[2])
    assert len(processes(running)) == (1 if workers == 1 else 4)
    assert listening(processes(running)) == {f"tcp 0100007F:{port:04X}"}
    known = {(one.laddr.port, one.status) for process in processes(running)
             for one in process.net_connections("all") if one.status == psutil.CONN_LISTEN}  # fmt: skip
    assert known == {(port, psutil.CONN_LISTEN)}


def test_every_file_that_the_service_made_is_its_users_only(server: Any) -> None:
    made = [path for path in server.folder.iterdir() if path.name.startswith("service.db")]
    assert made
    assert {path.stat().st_mode & 0o077 for path in made} == {0}


def test_a_worker_that_dies_is_replaced_and_the_others_go_on(three: Any) -> None:
    before = {process.pid for process in processes(three)}
    victim = processes(three)[1].pid
    os.kill(victim, signal.SIGKILL)
    for _ in range(10):
        assert httpx.get(f"{three.address}/livez").status_code == 200
    until(lambda: len({process.pid for process in processes(three)} - {victim}) == 4)
    assert len({process.pid for process in processes(three)} - before) == 1
    assert "a worker ended (-9)" in three.log
    until(lambda: three.http.get("/readyz").status_code == 200)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_service_that_can_not_start_ends_and_says_why(
    serve: Any, bundle_folder: Path, tmp_path: Path, workers: int
) -> None:
    (tmp_path / "champion.txt").write_text(f"arm/1 {bundle_folder} {'0' * 64}")
    with serve(tmp_path, bundle_folder, workers=workers) as server:
        # IntegrityError's exit code.
        assert server.process.wait(timeout=60) == 6
    said = [line for line in server.log.splitlines() if line.startswith("rehabcast: ")]
    assert len(said) == 1
    assert "was audited and promoted" in said[0]
    assert "Traceback" not in server.log


def test_a_port_in_use_is_a_message(server: Any) -> None:
    port = server.address.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "serving.server", "nothing:here", "--port", port],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 8
    assert done.stderr == (
        f"rehabcast: port {port} of 127.0.0.1 is in use: stop what listens there, or use another"
        " --host or --port (REHABCAST_HOST, REHABCAST_PORT)\n"
    )


def test_workers_end_when_their_supervisor_is_killed(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path
) -> None:
    with serve(tmp_path, bundle_folder, workers=2) as server:
        assert until_ready(server), server.log
        until(lambda: len(processes(server)) == 3)
        _, *workers = processes(server)
        server.process.kill()
        server.process.wait()
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert alive == []


def test_bentomls_own_server_is_refused_before_it_opens_a_socket(
    server: Any, tmp_path: Path
) -> None:
    """Its supervisor has a control port without a password: whoever reaches it runs commands."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    opened: set[str] = set()
    with (tmp_path / "log").open("w") as output:
        process = psutil.Popen(
            [sys.executable, "-m", "bentoml", "serve", "application:service", "--host", "127.0.0.1",
             "--port", str(port)],
            cwd=server.folder, stdout=output, stderr=output,
            env={**os.environ, "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(tmp_path)},
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                opened |= listening([process, *process.children(recursive=True)])
            except (psutil.Error, OSError):
                break
            time.sleep(0.05)
        code = process.wait(timeout=10)
    assert opened == set()
    assert code != 0
    assert "serve it with `rehabcast serve`" in (tmp_path / "log").read_text()


def test_bentomls_worker_is_refused_too(server: Any, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.set_inheritable(True)
        done = subprocess.run(
            [sys.executable, "-m", "_bentoml_impl.worker.service", "application:service",
             "--fd", str(listener.fileno())],
            cwd=server.folder, pass_fds=[listener.fileno()], timeout=60, check=False,
            capture_output=True, text=True, env={**os.environ, "BENTOML_HOME": str(tmp_path)},
        )  # fmt: skip
    assert done.returncode != 0
    assert "serve it with `rehabcast serve`" in done.stdout + done.stderr


UNFORESEEN = """
from serving.http.service import build_service

def open_runtime():
    raise RuntimeError("cannot connect to postgresql://rehabcast:CANARY@database/records")

service = build_service(open_runtime, {workers})
"""


@pytest.mark.parametrize("workers", [1, 3])
def test_an_unforeseen_error_at_the_start_is_named_by_type_and_place_only(
    tmp_path: Path, workers: int
) -> None:
    (tmp_path / "unforeseen.py").write_text(UNFORESEEN.format(workers=workers))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = subprocess.run(
        [sys.executable, "-m", "serving.server", "unforeseen:service", "--port", port],
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
        env={**os.environ, "BENTOML_HOME": str(tmp_path / "b"), "BENTOML_DO_NOT_TRACK": "True"},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "RuntimeError at unforeseen.py:5" in said
    assert [word for word in ("CANARY", "Traceback", "postgresql://") if word in said] == []
