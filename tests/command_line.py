"""The command line as processes of their own, without importing everything for each.

A process imports the program once and forks itself for each command: what a command changes (folder,
environment, umask) ends with it, as for a user. Importing takes seconds, a fork milliseconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

IMPORTED_ONCE = """
import atexit, json, os, sys
os.environ["OMP_NUM_THREADS"] = "1"
from stores.collection import without_collection
with without_collection():
    from rehabcast.main import run
    import lightning, torch
answers = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        answers.close()
        for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), number)
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["env"])
        os.umask(asked["umask"])
        sys.argv = ["rehabcast", *asked["words"]]
        code = 0
        try:
            exec(asked["before"])
            run()
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            # Not the libraries' own destructors: they wait for threads that a fork does not have.
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
"""

QUICK_TRAINING = """
from serving.forecast import explanation_quality
from training.models import boosted
boosted.TREES, explanation_quality.SAMPLE = 5, 30
"""
"""To be done before a training that is not about how good its comparators and reasons are."""


class CommandLine:
    """Runs commands one after the other; `close` ends the process that they are forked from."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", IMPORTED_ONCE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "COLUMNS": "100"},
        )  # fmt: skip

    def run(
        self, words: list[str], cwd: Path, env: Mapping[str, str], umask: int, before: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one command; `before` is what its process does first, as what a test plants."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with tempfile.TemporaryDirectory() as name:
            out, err = Path(name) / "out", Path(name) / "err"
            asked = {
                "words": words, "cwd": str(cwd), "env": dict(env), "umask": umask,
                "out": str(out), "err": str(err), "before": before,
            }  # fmt: skip
            print(json.dumps(asked), file=process.stdin, flush=True)
            code = int(process.stdout.readline())
            return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()
