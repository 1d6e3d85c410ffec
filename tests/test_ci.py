"""Continuous integration: everything is run, everything that failed is shown, and no failure is lost."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKE = """#!/bin/sh
echo "made $*"
case " $* " in *" $FAILING "*) exit 2;; esac
"""


def run(tmp_path: Path, failing: str) -> tuple[int, list[str]]:
    """Run it with a `make` that only says what it is asked for, and fails where it is told to."""
    make = tmp_path / "make"
    make.write_text(MAKE)
    make.chmod(0o700)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FAILING": failing}
    done = subprocess.run(
        ["bash", ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, sorted(done.stdout.splitlines())


def test_all_of_it_is_run(tmp_path: Path) -> None:
    code, said = run(tmp_path, failing="nothing")
    assert (code, said) == (0, ["made lint docs --keep-going", "made setup", "made test"])


@pytest.mark.parametrize("failing", ["lint", "docs", "test"])
def test_what_fails_fails_it_and_the_rest_is_run_and_shown(tmp_path: Path, failing: str) -> None:
    code, said = run(tmp_path, failing)
    assert (code, said) == (2, ["made lint docs --keep-going", "made setup", "made test"])


def test_nothing_is_run_where_nothing_could_be_installed(tmp_path: Path) -> None:
    assert run(tmp_path, failing="setup") == (2, ["made setup"])


def test_what_a_process_compiled_no_other_compiles_again(tmp_path: Path) -> None:
    asks = tmp_path / "asks.mk"
    asks.write_text("compiles-again:\n\t@printenv PYTHONDONTWRITEBYTECODE || echo no\n")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    # make passes what it was itself called with on to those that it starts.
    environment.pop("MAKEFLAGS", None)
    done = subprocess.run(
        ["make", "--silent", "-f", ROOT / "Makefile", "-f", asks, "compiles-again"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "no\n"


CLOCKS = {"time", "time_ns", "now", "today", "utcnow", "monotonic"}


def clocks(source: str) -> list[int]:
    """Lines of what tests are parametrized with, or given by default, that ask what time it is."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    given = [
        part
        for function in functions
        for part in [*function.decorator_list, *function.args.defaults, *function.args.kw_defaults]
        if part is not None
    ]
    calls = [node for part in given for node in ast.walk(part) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in CLOCKS
    ]


def test_no_test_is_given_a_moment_that_was_read_long_before_it_runs() -> None:
    written = '@pytest.mark.parametrize("end", [time.time() + 900])\ndef test(end): pass'
    assert clocks(written) == [1]
    read = {path: clocks(path.read_text("utf-8")) for path in (ROOT / "tests").rglob("*.py")}
    assert {str(path): lines for path, lines in read.items() if lines} == {}
