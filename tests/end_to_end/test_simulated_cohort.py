"""The commands of the simulated cohort, as a person gives them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from rehabcast.main import app

ROOT = Path(__file__).resolve().parents[2]


def record_of(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    record: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return record


Check = Callable[[tuple[str, ...], dict[str, Any]], None]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory, check_fields: Check) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "cohort"
    scenario = ROOT / "scenarios" / "fairness-4-label-bias.toml"
    made = record_of(
        "cohort", "simulate", str(folder), "--subjects", "40", "--scenario", str(scenario),
        "--report",
    )  # fmt: skip
    check_fields(("cohort", "simulate", "--report"), made)
    assert made["simulated"] is True
    assert made["scenario"] == "F4: label bias"
    assert made["subjects"] == 40
    assert {"name", "source", "target", "value", "held", "low", "high"} <= set(made["gates"][0])
    return folder


def test_the_report_is_a_table_for_people_that_says_it_is_simulated(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["cohort", "simulate", str(tmp_path / "one"), "--subjects", "30", "--report"]
    )
    assert done.exit_code == 0
    assert "SIMULATED" in done.output
    assert "meant for 5,000 subjects" in done.output


def test_it_validates_like_any_cohort(cohort: Path, check_fields: Check) -> None:
    checked = record_of("cohort", "validate", str(cohort))
    check_fields(("cohort", "validate"), checked)
    assert checked["valid"] is True
    assert checked["simulated"] is True
    assert checked["subjects"] == 40


@pytest.mark.soak
def test_the_floor_is_written_into_the_truth_folder(cohort: Path, check_fields: Check) -> None:
    task = str(ROOT / "tasks" / "stroke-upper-limb.toml")
    made = record_of("cohort", "floor", str(cohort), "--task", task, "--subjects", "6")
    check_fields(("cohort", "floor"), made)
    assert made["simulated"] is True
    table = pd.read_parquet(made["floor"])
    assert Path(made["floor"]).parent.name == "cohort-truth"
    assert table["subject_id"].nunique() == made["subjects"] == 6
    assert made["rows"][0]["CRPS"] > 0


def test_a_picture_is_drawn(cohort: Path, tmp_path: Path) -> None:
    picture = tmp_path / "three.png"
    done = CliRunner().invoke(app, ["cohort", "draw", str(cohort), str(picture), "--subjects", "3"])
    assert done.exit_code == 0, done.output
    assert picture.read_bytes().startswith(b"\x89PNG")
