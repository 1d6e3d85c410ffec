"""A folder of recordings, by the command line alone: cohort, days again, report, export."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command_line import CommandLine

Rehabcast = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def rehabcast(command_line: CommandLine, tmp_path: Path) -> Rehabcast:
    def run(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
        words = [*map(str, arguments), "--json"]
        done = command_line.run(words, cwd=tmp_path, env=os.environ, umask=0o077)
        return done.returncode, json.loads(done.stdout)

    return run


def test_recordings_become_days_a_report_and_tables(
    tmp_path: Path,
    rehabcast: Rehabcast,
    check_fields: Callable[[tuple[str, ...], dict[str, Any]], None],
) -> None:
    source, cohort = tmp_path / "source", tmp_path / "cohort"
    source.mkdir()
    counts = np.random.default_rng(0).integers(100, 900, 2 * 1440)
    header = ["", "04-Mar-2024", "00:00", "4", "00", "V1", "X"]
    (source / "7").write_text("\r\n".join([*header, *map(str, counts)]) + "\r\n")
    (source / "notes.txt").write_text("nothing to see")

    code, imported = rehabcast("cohort", "import", "auto", source, cohort)
    assert code == 0
    check_fields(("cohort", "import"), imported)
    assert imported["subjects"] == 1
    assert [problem["file"] for problem in imported["unreadable"]] == ["notes.txt"]

    code, extracted = rehabcast("features", "extract", cohort)
    check_fields(("features", "extract"), extracted)
    assert (code, extracted["kept"], extracted["digest"]) == (0, 1, imported["digest"])

    code, report = rehabcast("features", "report", cohort)
    assert code == 0
    check_fields(("features", "report"), report)
    assert "<img" in Path(report["report"]).read_text("utf-8")

    code, exported = rehabcast("cohort", "export", cohort, tmp_path / "csv", "--format", "csv")
    assert code == 0
    check_fields(("cohort", "export"), exported)
    assert {Path(file).name for file in exported["files"]} == {
        "codes.csv",
        "days.csv",
        "events.csv",
    }


def test_a_source_with_nothing_valid_ends_with_its_own_exit_code(
    tmp_path: Path, rehabcast: Rehabcast
) -> None:
    (tmp_path / "bad").write_bytes(b"\x01" * 200)
    code, error = rehabcast("cohort", "import", "auto", tmp_path / "bad", tmp_path / "cohort")
    assert code == 3
    assert error["problems"][0]["field"] == "byte 0"
    assert not (tmp_path / "cohort").exists()
    code, error = rehabcast("cohort", "import", "nobody-knows", tmp_path / "bad", tmp_path / "c")
    assert code == 3
    assert "use one of auto" in error["message"]
