"""Work in processes that may be killed at any moment, without importing everything for each.

A process imports once what the work needs and forks itself for each run of it, as `command_line`
does for commands.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PREPARED = """
import json, os, sys
{work}
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(*json.loads(line))
            code = 0
        finally:
            os._exit(code)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Forked:
    """Runs a function `work`, which the given source defines, in one fork after the other."""

    def __init__(self, source: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PREPARED.format(work=source)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=Path(__file__).resolve().parents[1],
        )  # fmt: skip
        assert self._said() == "ready"

    def start(self, *words: str | Path) -> int:
        """Begin a run with these arguments, as text; return the number of its process."""
        assert self._process.stdin is not None
        print(json.dumps([str(word) for word in words]), file=self._process.stdin, flush=True)
        return int(self._said())

    def ended(self) -> int:
        """Wait for the end of the run that was begun last; return its exit status."""
        return int(self._said())

    def killed(self, pid: int) -> bool:
        """Kill the run that was begun last; tell whether it was still running."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return self.ended() == -signal.SIGKILL

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
