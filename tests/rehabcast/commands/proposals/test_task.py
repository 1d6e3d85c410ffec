"""`rehabcast task new` and `task check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from contracts.errors import ContractError, TaskInvalid
from rehabcast.commands.learning.training import SHIPPED_TASKS
from rehabcast.main import app
from tests.training.proposals.test_cohort_facts import cohort_of, decided


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["task", *map(str, arguments)])


def test_a_task_is_proposed_checked_and_decided(tmp_path: Path) -> None:
    cohort_of(tmp_path / "cohort")
    file = tmp_path / "task.toml"
    done = run("new", tmp_path / "cohort", "--output", file)
    assert done.exit_code == 0, done.exception
    assert "forecasts Berg Balance Scale at 2, 6, 12 weeks" in done.stdout.replace("\n", " ")
    refused = run("check", file)
    assert isinstance(refused.exception, TaskInvalid)
    assert 'condition = "?" has no answer yet' in str(refused.exception)
    again = run("new", tmp_path / "cohort", "--output", file)
    assert isinstance(again.exception, ContractError)
    assert "exists already" in str(again.exception)
    file.write_text(decided(file.read_text("utf-8")), "utf-8")
    sound = run("check", file)
    assert sound.exit_code == 0
    assert "is sound" in sound.stdout


def test_a_shipped_task_is_sound_and_json_has_its_facts(tmp_path: Path) -> None:
    done = run("check", SHIPPED_TASKS / "stroke-upper-limb.toml", "--json")
    assert json.loads(done.stdout)["horizons_weeks"] == [3, 5, 6, 12, 26, 52]
    cohort_of(tmp_path / "cohort")
    made = run("new", tmp_path / "cohort", "--output", tmp_path / "t.toml", "--json")
    facts = json.loads(made.stdout)["found"]
    assert facts["target"]["code"] == "REHABCAST//BERG"
    assert [window["weeks"] for window in facts["windows"]] == [2, 6, 12]
