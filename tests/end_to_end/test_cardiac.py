"""The walk of docs/first-cohort/cardiac.md: a second condition, through commands alone.

Always run: SIMULATED files of the same columns, with small networks. `make soak` also takes the real files, which lie beside the
repository under their licence, where they are.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from tests.command_line import CommandLine
from tests.conftest import ROOT
from tests.end_to_end.hospital import Hospital, small_and_whole

SOURCE = ROOT.parent / "shared" / "data" / "apaco_cardiac_rehab"
PAGE = ROOT / "docs" / "first-cohort" / "cardiac.md"
COLUMNS = {
    "INCLUSION.csv": "patient;sex;age;height;weight;angioplasty;bypass;DIST_6WT_M0",
    "VISIT_6M.csv": "patient;weight;DIST_6WT_M6",
    "VISIT_12M.csv": "patient;weight;DIST_6WT_M12",
}
TASK = "tasks/cardiac-rehabilitation.toml"


class Walk(NamedTuple):
    """Whose files, how many people are in them, and the file of training parameters."""

    real: bool
    people: int
    config: str


SMALL = Walk(real=False, people=40, config="max_epochs = 1\nfolds = 3\n")
REAL = Walk(real=True, people=83, config="max_epochs = 2\nfolds = 3\n")
NOT_THERE = pytest.mark.skipif(
    not all((SOURCE / name).is_file() for name in COLUMNS),
    reason="the APA&Co files are not beside the repository (../shared/data/apaco_cardiac_rehab)",
)


def page_map() -> str:
    """Return the map that the page shows."""
    (block,) = [
        part.split("```")[0]
        for part in PAGE.read_text("utf-8").split("```toml\n")[1:]
        if "[[tables]]" in part
    ]
    return block


def write_simulated(folder: Path, people: int) -> None:
    """Write SIMULATED people in the study's three files: walks that change little over a year."""
    draw = np.random.default_rng(6)
    usual_N = draw.normal(560, 90, people).clip(200, 850)
    rows: dict[str, list[tuple[int, ...]]] = {name: [] for name in COLUMNS}
    for number in range(1, people + 1):
        walk_3 = (usual_N[number - 1] + draw.normal(0, 35, 3)).clip(100, 900).astype(int).tolist()
        sex, age = 2 if number % 4 == 0 else 1, int(draw.integers(45, 76))
        rows["INCLUSION.csv"].append((number, sex, age, 175, 82, 0, 1, walk_3[0]))
        rows["VISIT_6M.csv"].append((number, 82, walk_3[1]))
        if number % 10:
            rows["VISIT_12M.csv"].append((number, 82, walk_3[2]))
    for name, columns in COLUMNS.items():
        frame = pd.DataFrame(rows[name], columns=columns.split(";"))
        frame.to_csv(folder / name, sep=";", index=False)


@pytest.fixture(scope="module", params=small_and_whole(SMALL, REAL, "real", NOT_THERE))
def walk(request: pytest.FixtureRequest) -> Walk:
    chosen: Walk = request.param
    return chosen


@pytest.fixture(scope="module")
def clinic(
    tmp_path_factory: pytest.TempPathFactory, command_line: CommandLine, walk: Walk
) -> Hospital:
    folder = tmp_path_factory.mktemp("cardiac")
    if walk.real:
        for name in COLUMNS:
            shutil.copyfile(SOURCE / name, folder / name)
    else:
        write_simulated(folder, walk.people)
    simulated = "" if walk.real else "simulated = true\n"
    (folder / "map.toml").write_text(simulated + page_map(), "utf-8")
    (folder / "quick.toml").write_text(walk.config, "utf-8")
    made = Hospital(folder, command_line, quick_training=not walk.real)
    made.record("cohort", "import", "tables", "map.toml", "cohort", "--strict")
    return made


@pytest.fixture(scope="module")
def version(clinic: Hospital) -> str:
    trained = clinic.record(
        "train", "--cohort", "cohort", "--task", TASK, "--model", "heart", "--config", "quick.toml"
    )
    notes = {note["field"]: note["found"] for note in trained["task_notes"]}
    assert "a hybrid starts flat" in notes["prior"]
    assert "no recovery rule was published" in notes["comparators"]
    return str(trained["model_version"])


@pytest.fixture(scope="module")
def audited(clinic: Hospital, version: str) -> dict[str, object]:
    return clinic.record("audit", version)


@NOT_THERE
@pytest.mark.soak
def test_the_simulated_files_have_the_columns_of_the_real_ones() -> None:
    for name, columns in COLUMNS.items():
        assert (SOURCE / name).read_text("utf-8-sig").splitlines()[0] == columns


def test_the_map_of_the_page_reads_every_walk(clinic: Hospital, walk: Walk) -> None:
    events = pd.concat(map(pd.read_parquet, (clinic.folder / "cohort" / "data").rglob("*.parquet")))
    walks = events[events["code"] == "REHABCAST//SIX_MINUTE_WALK"]
    written = [
        pd.read_csv(clinic.folder / name, sep=";").filter(like="DIST_6WT").stack().dropna()
        for name in COLUMNS
    ]
    assert sorted(walks["numeric_value"]) == sorted(float(x) for each in written for x in each)
    assert events["subject_id"].nunique() == walk.people


@pytest.mark.soak
def test_an_audit_of_so_few_does_not_pass_and_says_why(audited: dict[str, object]) -> None:
    assert audited["outcome"] not in {"pass", "pass within scope"}
    folder = Path(str(audited["report_folder"]))
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert report["facts"]["starts_from"]["name"] == "flat"
    assert report["facts"]["recovery_rule_published"] is False
    reasons = " ".join(finding["reason"] for finding in report["verdict"]["findings"])
    assert "ethnicity" in reasons


def test_rivals_are_compared_at_the_two_visits(clinic: Hospital) -> None:
    found = clinic.record(
        "benchmark", "--cohort", "cohort", "--task", TASK,
        "--models", "last observation", "--models", "mixed effects", "--repeats", "1",
    )  # fmt: skip
    assert {row["weeks"] for row in found["rows"]} == {26, 52}


@pytest.mark.soak
def test_a_version_is_let_into_service_only_by_two_people_and_an_override(
    clinic: Hospital, version: str, audited: dict[str, object]
) -> None:
    assert audited["model_version"] == version
    for role, who in (("ml-owner", "mia"), ("governance", "gus")):
        clinic.record(
            "approve", version, "--role", role, "--reason", "Read and discussed.", actor=who
        )
    promoted = clinic.record(
        "promote", version, "--approver", "A. Tester", "--reason", "only a test",
        "--until", "2999-01-01", "--restricted-use", "this test only",
    )  # fmt: skip
    assert promoted["model_version"] == version
