"""`rehabcast cohort map`: what it writes, asks and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.errors import CohortInvalid, ContractError
from rehabcast.main import app

PEOPLE = "Pat.-Nr.;Name;Schlaganfalldatum;Aufnahme;Alter\n" + "".join(
    f"{n:02d};Meier{n};{n + 1:02d}.02.2024;{n + 9:02d}.02.2024;{60 + n}\n" for n in range(12)
)
SCORES = "Pat.-Nr.;Datum;Barthel;Kraxelindex\n" + "".join(
    f"{n:02d};{n + 9:02d}.{month}.2024;{5 * n};{n / 2:.1f}\n".replace(".0\n", ",0\n").replace(".5\n", ",5\n")
    for n in range(12)
    for month in ("02", "05")
)  # fmt: skip


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    folder = tmp_path / "clinic"
    folder.mkdir()
    (folder / "people.csv").write_text(PEOPLE, "cp1252")
    (folder / "scores.csv").write_text(SCORES, "cp1252")
    return folder


def run(*arguments: str | Path, said: str = "") -> Any:
    return CliRunner().invoke(app, ["cohort", *map(str, arguments)], input=said)


def test_without_a_terminal_the_map_holds_the_questions_and_import_lists_them(clinic: Path) -> None:
    done = run("map", clinic, "--output", clinic / "map.toml")
    assert done.exit_code == 0, done.exception
    assert "are open, guesses or questions" in done.stdout
    assert "Meier" not in done.stdout + (clinic / "map.toml").read_text("utf-8")
    refused = run("import", "auto", clinic / "map.toml", clinic / "cohort")
    assert isinstance(refused.exception, CohortInvalid)
    assert refused.exception.exit_code == 3
    assert len(refused.exception.problems) > 2
    assert not (clinic / "cohort").exists()


def test_on_a_terminal_each_open_point_is_asked_and_an_answered_map_is_imported(
    clinic: Path,
) -> None:
    done = run("map", clinic, "--output", clinic / "map.toml", "--ask", said="\n" * 30)
    assert done.exit_code == 0, done.exception
    assert "What is this column?" in done.stderr
    assert "REHABCAST//BARTHEL, Barthel index" in done.stderr
    assert "Nothing is open." in done.stdout
    imported = run("import", "auto", clinic / "map.toml", clinic / "cohort")
    assert imported.exit_code == 0, imported.exception
    assert "12" in imported.stdout


def test_an_answer_may_be_a_number_a_word_or_left_open(clinic: Path) -> None:
    said = "DD.MM.YYYY\n1\nMEDS_DEATH\n-\n\nx\n" + "\n" * 20
    done = run("map", clinic, "--output", clinic / "map.toml", "--ask", said=said)
    assert done.exit_code == 0, done.exception
    text = (clinic / "map.toml").read_text("utf-8")
    assert 'code = "REHABCAST//ONSET" }' in text
    assert '{ column = "Aufnahme", code = "MEDS_DEATH" }' in text
    assert text.count("confirm = true }") == 1
    assert '# left out: "Barthel", as was answered' in text
    assert "1 point(s) are open" in done.stdout


def test_json_has_the_findings_with_their_reasons_and_no_patient(clinic: Path) -> None:
    done = run("map", clinic, "--output", clinic / "map.toml", "--json")
    found = json.loads(done.stdout)
    assert found["open_points"] > 0
    keys = {f["key"] for table in found["proposal"]["tables"] for f in table["findings"]}
    assert keys >= {"subject", "separator", "date_format"}
    assert "Meier" not in done.stdout


def test_somebodys_map_is_never_overwritten(clinic: Path) -> None:
    (clinic / "map.toml").write_text("mine")
    refused = run("map", clinic, "--output", clinic / "map.toml")
    assert isinstance(refused.exception, ContractError)
    assert "name a new file" in str(refused.exception)
    assert (clinic / "map.toml").read_text() == "mine"
