from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def serve(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rehabcast", "serve", *arguments], cwd=folder, text=True,
        capture_output=True, check=False, timeout=90,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **settings},
    )  # fmt: skip


def test_what_is_no_port_is_refused(tmp_path: Path) -> None:
    done = serve(tmp_path, "--development", "--port", "99999999")
    assert done.returncode == 2
    assert "Invalid value for '--port'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_champion_the_command_ends_and_says_so(tmp_path: Path) -> None:
    """It used to start for ever again a worker that can't start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = serve(
        tmp_path, "--development", REHABCAST_MODEL="nope", REHABCAST_WORKERS="3",
        REHABCAST_PORT=port,
    )  # fmt: skip
    assert done.returncode == 5
    assert "nope" in done.stderr
    assert done.stderr.count("rehabcast: ") == 1
    assert "Traceback" not in done.stderr
