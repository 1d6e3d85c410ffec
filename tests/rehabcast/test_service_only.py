"""Where only the service's packages are installed: it starts, and other commands say what they lack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service_only import as_in_its_image

TASK = str(Path(__file__).resolve().parents[2] / "tasks" / "stroke-upper-limb.toml")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    everything = os.environ.get("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": as_in_its_image(folder) + os.pathsep + everything},
    )  # fmt: skip


def test_the_service_and_the_command_line_import_none_of_the_others(tmp_path: Path) -> None:
    # scipy loads its statistics when they are first used: 50 MiB that no service needs. Its
    # optimisers, which find what reports may show, are 21 MiB.
    program = (
        "import sys, rehabcast.main, rehabcast.application;"
        " print({'scipy.stats', 'scipy.optimize'} & set(sys.modules))"
    )
    done = run(tmp_path, "-c", program)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "set()\n")


@pytest.mark.parametrize(
    ("words", "lacks"),
    [
        (("train", "--cohort", "cohort", "--task", TASK, "--model", "arm"), "torch"),
        (("audit", "arm/1"), "fairlearn"),
        (("cohort", "simulate", "cohort", "--subjects", "5"), "meds"),
    ],
    ids=("train", "audit", "cohort"),
)
def test_a_command_that_needs_more_says_so_in_one_sentence(
    tmp_path: Path, words: tuple[str, ...], lacks: str
) -> None:
    done = run(tmp_path, "-m", "rehabcast", *words, "--json")
    said = json.loads(done.stdout)
    assert "Traceback" not in done.stderr
    assert said["error"] == "ContractError"
    assert f"this needs {lacks}, which is not installed here" in said["reason"]
