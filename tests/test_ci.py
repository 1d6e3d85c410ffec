"""Continuous integration: everything is run, everything that failed is shown, and no failure is lost."""

from __future__ import annotations

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
