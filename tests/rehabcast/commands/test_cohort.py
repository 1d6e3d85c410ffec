"""`rehabcast cohort ...`: what an import says, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from contracts.errors import CohortInvalid, ContractError
from rehabcast.main import app


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two people whose numbers a spreadsheet would take for one, and three kinds of bad files."""
    header = ["", "04-Mar-2024", "00:00", "4", "00", "V1", "X"]
    for subject in ("01", "1"):
        counts = np.random.default_rng(len(subject)).integers(100, 900, 1440)
        (tmp_path / "source" / subject).mkdir(parents=True)
        text = "\r\n".join([*header, *map(str, counts)])
        (tmp_path / "source" / subject / "a.AWD").write_text(f"{text}\r\n")
    for number in range(3):
        (tmp_path / "source" / "1" / f"bad{number}").write_bytes(b"")
    (tmp_path / "source" / "1" / "odd").write_bytes(b"\1\2\3" * 9)
    return tmp_path / "source"


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["cohort", *map(str, arguments)])


def test_an_import_says_who_was_numbered_and_counts_what_was_left_out(
    source: Path, tmp_path: Path
) -> None:
    done = run("import", "auto", source, tmp_path / "cohort")
    assert done.exit_code == 0
    assert "2 subject(s) were numbered" in done.stderr
    assert "metadata/subjects.parquet" in done.stderr
    lines = done.stderr.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("left out, or to be looked at"))
    assert "by reason (5)" in lines[at], "'01' and '1' may be one person"
    assert lines[at + 1] == "  3  the file is empty"
    assert lines[-1].endswith("is a valid cohort.")


def test_json_and_the_kept_report_hold_the_same_grouped_problems(
    source: Path, tmp_path: Path
) -> None:
    cohort = tmp_path / "cohort"
    result = json.loads(run("import", "auto", source, cohort, "--json").stdout)
    report = json.loads((cohort / "metadata" / "import.json").read_text("utf-8"))
    for key in ("dropped", "unreadable", "left_out"):
        assert result[key] == report[key]
    assert report["subjects"] == {"1": "01", "2": "1"}
    assert result["subjects_file"] == str(cohort / "metadata" / "subjects.parquet")
    assert sum(problem["count"] for problem in result["unreadable"]) == 4


def test_strict_lists_everything_and_writes_nothing(source: Path, tmp_path: Path) -> None:
    done = run("import", "auto", source, tmp_path / "cohort", "--strict")
    assert isinstance(done.exception, CohortInvalid)
    assert done.exception.exit_code == 3
    assert {problem.file for problem in done.exception.problems} == {
        "1/bad0", "1/bad1", "1/bad2", "1/odd", "*",
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_an_empty_path_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    for arguments in (("", "cohort"), (" ", "cohort"), (".", "")):
        done = run("import", "auto", *arguments)
        assert isinstance(done.exception, ContractError)
        assert "a path is empty" in done.exception.reason
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_source_within_its_destination_is_refused_before_anything_is_read(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "features.importing.gather.source_files", lambda *_: pytest.fail("it was read")
    )
    for destination in (source, source.parent):
        done = run("import", "auto", source, destination)
        assert isinstance(done.exception, ContractError)
        assert "exists already" in done.exception.reason


def test_validate_names_the_subject_and_the_clock(source: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from contracts.cohort import TIME

    cohort = tmp_path / "cohort"
    assert run("import", "auto", source, cohort).exit_code == 0
    file = cohort / "data" / "0.parquet"
    table = pq.read_table(file)
    utc = table.set_column(1, TIME, table[TIME].cast(pa.timestamp("us", "UTC")))
    pq.write_table(utc, file)
    # As another program writes a cohort: ours know what their imports wrote.
    (cohort / "metadata" / "imports.json").unlink()
    done = run("validate", cohort)
    assert done.exit_code == 0
    assert "days in UTC" in done.stderr
    pq.write_table(table.take([*range(len(table)), 1]), file)
    done = run("validate", cohort)
    assert isinstance(done.exception, CohortInvalid)
    assert "(subject 01)" in str(done.exception)


def test_next_months_export_is_added_and_said(tmp_path: Path) -> None:
    for month, day in (("january", 7), ("february", 40)):
        folder = tmp_path / month
        folder.mkdir()
        (folder / "map.toml").write_text(
            'name = "clinic"\nclock = "days since onset"\n[[tables]]\nfile = "scores.csv"\n'
            'subject = "patient"\nwhen = "day"\ncolumns = [{ column = "FM",'
            ' code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" }]\n'
        )
        (folder / "scores.csv").write_text(f"patient,day,FM\np1,7,{30 + day}\np1,{day},30\n")
    cohort = tmp_path / "cohort"
    (tmp_path / "january" / "scores.csv").write_text("patient,day,FM\np1,7,30\n")
    assert run("import", "auto", tmp_path / "january" / "map.toml", cohort).exit_code == 0
    february = tmp_path / "february" / "map.toml"
    (tmp_path / "february" / "scores.csv").write_text("patient,day,FM\np1,7,31\np2,40,30\n")
    done = run("import", "auto", february, "--into", cohort)
    assert done.exit_code == 0
    # A score, an onset and an enrolment of the new person.
    assert "1 new person(s), 3 new value(s); 1 corrected and 0 gone" in " ".join(
        done.stderr.split()
    )
    again = json.loads(run("import", "auto", february, "--into", cohort, "--json").stdout)
    assert again["changes"]["is_known"] is True
    assert run("validate", cohort).exit_code == 0
    (cohort / "imports" / "1" / "index.json").write_text("{}")
    assert isinstance(run("validate", cohort).exception, CohortInvalid)


def test_an_import_has_one_place(tmp_path: Path) -> None:
    for places in ((), (tmp_path / "new", "--into", tmp_path / "cohort")):
        refused = run("import", "auto", tmp_path, *places)
        assert isinstance(refused.exception, ContractError)
        assert "one place" in str(refused.exception)


COLUMNS = """
name = "clinic"
clock = "days since onset"
[[tables]]
file = "scores.csv"
subject = "patient"
when = "day"
columns = [{ column = "FM", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" }]
"""


@pytest.mark.parametrize("place", [".", ".."])
@pytest.mark.parametrize(
    ("text", "how"),
    [
        (COLUMNS, "tables {map} COHORT"),
        ("dates_shifted = true", "auto {source} COHORT --map {map}"),
    ],
)
def test_a_map_that_lies_beside_the_source_is_told_of_and_not_used(
    source: Path, tmp_path: Path, place: str, text: str, how: str
) -> None:
    unnamed = run("import", "auto", source, tmp_path / "before", "--json")
    lies = (source / place).resolve() / "map.toml"
    lies.write_text(text)
    done = run("import", "auto", source, tmp_path / "after")
    said = "".join(done.stderr.split())
    command = f"rehabcast cohort import {how.format(map=lies, source=source)}"
    assert "liesbesidethesourceandisnotused" in said
    assert "".join(command.split()) in said
    digest = json.loads(run("validate", tmp_path / "after", "--json").stdout)["digest"]
    assert digest == json.loads(unnamed.stdout)["digest"]
    named = run("import", "tables", lies, tmp_path / "tables")
    assert "lies beside" not in named.stderr
