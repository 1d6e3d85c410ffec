"""The lists of what we are built from fail where they show nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "deploy" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ADVISORIES, LICENCES = script("advisories"), script("licences")
SOUND: dict[str, Any] = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found"}
FOUND = {"name": "pip", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}


@pytest.mark.parametrize(
    ("dependencies", "code", "says"),
    [
        ([SOUND, SOUND], 0, "2 of 2 packages checked, 0 known"),
        ([SOUND, FOUND], 1, "pip 1.0: PYSEC-1, fixed in 1.1"),
        ([SKIPPED, FOUND], 1, "torch: not checked"),
        # One that was not looked up, or is not even listed, was not found to be sound.
        ([SOUND, SKIPPED], 2, "torch: not checked"),
        ([SOUND], 2, "1 of 2 packages checked"),
        ([SKIPPED, SKIPPED], 2, "NOTHING WAS CHECKED"),
        ([], 2, "NOTHING WAS CHECKED"),
    ],
)
def test_a_package_that_was_not_looked_up_is_not_sound(
    dependencies: list[dict[str, Any]], code: int, says: str
) -> None:
    ended, message = ADVISORIES.conclusion(json.dumps({"dependencies": dependencies}), "", 2)
    assert ended == code
    assert says in message


@pytest.mark.parametrize("output", ["", "null", "[]", "{}", '{"dependencies": 1}', "<html>"])
def test_what_is_no_answer_of_an_advisory_source_is_a_failure(output: str) -> None:
    code, message = ADVISORIES.conclusion(output, "first\nConnectionError: away\n", 2)
    assert code == ADVISORIES.NOT_CHECKED
    assert "NOTHING WAS CHECKED (ConnectionError: away)" in message


def test_every_package_but_ours_is_looked_up_by_the_version_that_advisories_name() -> None:
    pins = ADVISORIES.installed()
    assert len(pins) > 100
    assert [pin for pin in pins if "+" in pin or pin.startswith("rehabcast==")] == []
    assert any(pin.startswith("torch==") for pin in pins)


def test_without_a_source_the_command_fails(tmp_path: Path) -> None:
    """The real program, with a proxy that is not there."""
    away = "http://127.0.0.1:9"
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
    done = subprocess.run(
        [sys.executable, ROOT / "deploy" / "advisories.py", "--cache-dir", tmp_path, "--timeout=1"],
        env={**os.environ, **dict.fromkeys(names, away), "NO_PROXY": "", "no_proxy": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ADVISORIES.NOT_CHECKED, done.stdout + done.stderr
    assert "NOTHING WAS CHECKED" in done.stdout


ALLOWED = {"MIT", "BSD License", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"}


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True), ("MIT AND Apache-2.0", True), ("GPL-3.0-only OR MIT", True),
        ("MIT; BSD License", True), ("(MIT OR GPL-3.0-only) AND Apache-2.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("", False), ("UNKNOWN", False), ("GPL-3.0-only", False), ("mit", False), ("MIT-like", False),
        ("MIT AND GPL-3.0-only", False), ("MIT; GPL", False), ("GPL-3.0-only OR AGPL-3.0-only", False),
        ("MIT and GPL-3.0-only", False), ("MIT, GPL-3.0-only", False), ("Apache-2.0 WITH X", False),
    ],
)  # fmt: skip
def test_a_licence_is_allowed_only_as_a_whole(licence: str, allowed: bool) -> None:
    assert LICENCES.is_allowed(licence, ALLOWED) is allowed
    assert LICENCES.refused({"x": licence}, ALLOWED, {}) == (
        [] if allowed else [f"x: {licence or 'no licence'}"]
    )


def test_an_exception_holds_for_what_it_was_made_for() -> None:
    exceptions = {"x": {"licence": "GPL-3.0-only", "reason": "read by somebody"}}
    assert LICENCES.refused({"x": "GPL-3.0-only"}, ALLOWED, exceptions) == []
    assert LICENCES.refused({"x": "AGPL-3.0-only"}, ALLOWED, exceptions) == ["x: AGPL-3.0-only"]
    assert LICENCES.refused({"y": "GPL-3.0-only"}, ALLOWED, exceptions) == ["y: GPL-3.0-only"]


@pytest.mark.parametrize(
    ("packages", "code"), [({}, True), ({"x": "MIT"}, False), ({"x": "AGPL-3.0-only"}, True)]
)
def test_a_list_of_nothing_is_a_failure(
    packages: dict[str, str], code: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LICENCES, "installed", lambda: packages)
    with pytest.raises(SystemExit) as ended:
        LICENCES.main()
    assert ended.value.code is code


def test_what_is_installed_has_licences_that_are_allowed() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "deploy" / "licences.py"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (count,) = re.findall(r"(\d+) packages, 0 not allowed", done.stdout)
    # Both lists are of one environment.
    assert int(count) == len(ADVISORIES.installed())
