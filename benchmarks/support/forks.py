"""Runs pieces of a test session in forks, some at a time, each with a limit of its own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

WORKERS = int(os.environ.get("MUTANT_WORKERS", "2"))
PATIENCE = 60.0
"""A run that takes ten times as long as without a mutant, and so many seconds more, hangs."""

Task = tuple[str, Callable[[], dict[str, Any]], float]
"""A name, what the fork does and returns, and the seconds it should take."""


def in_forks(
    session: pytest.Session, tasks: Iterator[Task]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Run each task in a fork, some at a time; return how each ended and what it said."""
    running: dict[int, tuple[str, Path, float]] = {}
    waiting = True
    while waiting or running:
        while waiting and len(running) < WORKERS:
            task = next(tasks, None)
            if task is None:
                waiting = False
            else:
                name, work, seconds = task
                folder = Path(tempfile.mkdtemp(prefix="mutant-"))
                pid = os.fork()
                if pid == 0:
                    child(session, folder, work)
                running[pid] = name, folder, time.monotonic() + PATIENCE + 10 * seconds
        for pid, (name, folder, deadline) in list(running.items()):
            done, code = os.waitpid(pid, os.WNOHANG)
            late = time.monotonic() > deadline
            if not done and not late:
                continue
            if not done:
                kill_children(pid)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            del running[pid]
            said = folder / "said.json"
            result = json.loads(said.read_text("utf-8")) if said.exists() else {}
            status = result.pop("status", "timeout" if late and not done else f"crashed ({code})")
            shutil.rmtree(folder, ignore_errors=True)
            yield name, status, result
        time.sleep(0.02)


def child(session: pytest.Session, folder: Path, work: Callable[[], dict[str, Any]]) -> None:
    """Do the work of one fork, and end."""
    os.setsid()
    # A runaway mutant must not take the machine's memory.
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    null = os.open(os.devnull, os.O_WRONLY)
    manager = session.config.pluginmanager
    manager.unregister(name="terminalreporter")
    os.dup2(null, 1)
    os.dup2(null, 2)
    session.config._tmp_path_factory._basetemp = folder / "tests"  # type: ignore[attr-defined]
    (folder / "tests").mkdir()
    try:
        (folder / "said.json").write_text(json.dumps(work()), "utf-8")
    except BaseException as error:
        # What ends pytest itself is no mutant that a test noticed.
        (folder / "said.json").write_text(json.dumps({"status": "error", "test": repr(error)}))
    kill_children(os.getpid())
    os._exit(0)


def kill_children(pid: int) -> None:
    """End servers and others that a test which failed left behind."""
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()
