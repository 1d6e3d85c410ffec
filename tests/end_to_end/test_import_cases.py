"""Small inputs with a known right answer, judged as their own checker judges a finished import.

The inputs and the checker (`check_cases.py`) lie beside the repository. Here each command runs in
this process, so that all of them fit into the suite; the checker itself starts a process for each.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rehabcast.main import app, run
from tests.conftest import ROOT

CASES = ROOT.parent / "shared" / "cases"
FOLDERS = sorted(file.parent for file in (CASES / "import").glob("*/expected.toml"))


def _checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_cases", CASES / "check_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run_here(case: Path, expected: dict[str, Any], scratch: Path) -> tuple[int, str, str, Path]:
    """Run a case's command on a copy of it, as its checker does, but in this process."""
    here, destination = scratch / "case", scratch / "made"
    shutil.copytree(case, here, ignore=shutil.ignore_patterns("expected.toml"))
    names = {"SOURCE": str(here / expected.get("source", "source")), "DEST": str(destination)}
    command = [names.get(word, word) for word in expected["command"]]
    if expected.get("map"):
        command += ["--map", str(here / expected["map"])]
    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["rehabcast", *command]
    code: int | str | None = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run()
    except SystemExit as stopped:
        code = stopped.code
    finally:
        sys.argv = argv
    texts = (stream.getvalue().replace(str(scratch), "") for stream in (out, err))
    printed, said = (text.replace("/case/", "").replace("\u2502", "|") for text in texts)
    return int(code or 0), printed, said, destination


@pytest.mark.parametrize("case", FOLDERS or [None], ids=lambda case: case.name if case else "none")
def test_import_gives_the_stated_result(
    case: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case is None:
        pytest.skip(f"{CASES} is not there: the inputs lie beside the repository")
    assert app.registered_commands
    checker = _checker()
    monkeypatch.setenv("COLUMNS", "400")

    def run_here(folder: Path, expected: dict[str, Any], keep: object) -> tuple[Any, ...]:
        return (*_run_here(folder, expected, tmp_path), None)

    monkeypatch.setattr(checker, "run", run_here)
    ended, wrong = checker.judge(case)
    assert not wrong, f"{ended}: {'; '.join(wrong)}"
