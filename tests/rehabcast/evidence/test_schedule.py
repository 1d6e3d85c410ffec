"""A service looks at outcomes by itself, in a process that ends with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from rehabcast.evidence.schedule import begin, keep_looking
from rehabcast.settings import Settings

ROOT = Path(__file__).parents[3]


def test_it_looks_again_and_again_also_after_a_failure_until_the_service_ends() -> None:
    stop, service = os.pipe()
    asked: list[str] = []

    def look(model: str) -> int:
        asked.append(model)
        if len(asked) == 5:
            os.close(service)
        return len(asked) % 2

    keep_looking(lambda: ("arm", "leg"), look, stop, seconds=0.01, first_wait=0.01)
    os.close(stop)
    # The round in which the service ended is completed.
    assert asked == ["arm", "leg"] * 3


def test_nothing_is_looked_at_before_the_first_wait_is_over() -> None:
    stop, service = os.pipe()
    threading.Timer(0.05, os.close, [service]).start()
    keep_looking(lambda: ("arm",), lambda _: 1 // 0, stop, seconds=0.01, first_wait=30)
    os.close(stop)


def test_the_process_ends_when_its_service_does(tmp_path: Path) -> None:
    environment = {**os.environ, "REHABCAST_MONITORING_HOURS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "rehabcast.evidence.schedule"], stdin=subprocess.DEVNULL,
        cwd=tmp_path, env=environment, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_unless_it_is_set_a_service_looks_at_nothing() -> None:
    assert begin(Settings()) is None
