"""The walk of docs/first-cohort/cardiac.md: a second real condition, through commands alone.

The files lie beside the repository, under their licence; without them nothing is walked.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.command_line import CommandLine
from tests.conftest import ROOT

SOURCE = ROOT.parent / "shared" / "data" / "apaco_cardiac_rehab"
PAGE = ROOT / "docs" / "first-cohort" / "cardiac.md"
FILES = ("INCLUSION.csv", "VISIT_6M.csv", "VISIT_12M.csv")

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        not all((SOURCE / name).is_file() for name in FILES),
        reason="the APA&Co files are not beside the repository (../shared/data/apaco_cardiac_rehab)",
    ),
]


def page_map() -> str:
    """Return the map that the page shows."""
    (block,) = [
        part.split("```")[0]
        for part in PAGE.read_text("utf-8").split("```toml\n")[1:]
        if "[[tables]]" in part
    ]
    return block


class Clinic:
    def __init__(self, folder: Path, command_line: CommandLine) -> None:
        self.folder, self.command_line = folder, command_line

    def record(self, *words: str, actor: str = "tester") -> Any:
        done = self.command_line.run(
            [*words, "--json"], cwd=self.folder, umask=0o077,
            env={**os.environ, "REHABCAST_ACTOR": actor, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, command_line: CommandLine) -> Clinic:
    folder = tmp_path_factory.mktemp("apaco")
    for name in FILES:
        shutil.copyfile(SOURCE / name, folder / name)
    (folder / "map.toml").write_text(page_map(), "utf-8")
    (folder / "quick.toml").write_text("max_epochs = 2\nfolds = 3\n", "utf-8")
    made = Clinic(folder, command_line)
    made.record("cohort", "import", "tables", "map.toml", "cohort", "--strict")
    return made


@pytest.fixture(scope="module")
def version(clinic: Clinic) -> str:
    trained = clinic.record(
        "train", "--cohort", "cohort", "--task", "tasks/cardiac-rehabilitation.toml",
        "--model", "heart", "--config", "quick.toml",
    )  # fmt: skip
    return str(trained["model_version"])


def test_the_map_of_the_page_reads_every_walk(clinic: Clinic) -> None:
    events = pd.concat(map(pd.read_parquet, (clinic.folder / "cohort" / "data").rglob("*.parquet")))
    walks = events[events["code"] == "REHABCAST//SIX_MINUTE_WALK"]
    written = [
        pd.read_csv(SOURCE / name, sep=";").filter(like="DIST_6WT").stack().dropna()
        for name in FILES
    ]
    assert sorted(walks["numeric_value"]) == sorted(float(x) for each in written for x in each)
    assert events["subject_id"].nunique() == 83


def test_an_audit_of_83_people_does_not_pass_and_says_why(clinic: Clinic, version: str) -> None:
    audited = clinic.record("audit", version)
    assert audited["outcome"] not in {"pass", "pass within scope"}
    report = json.loads((Path(audited["report_folder"]) / "report.json").read_text("utf-8"))
    assert report["facts"]["starts_from"]["name"] == "flat"
    reasons = " ".join(finding["reason"] for finding in report["verdict"]["findings"])
    assert "ethnicity" in reasons


def test_rivals_are_compared_at_the_two_visits(clinic: Clinic) -> None:
    found = clinic.record(
        "benchmark", "--cohort", "cohort", "--task", "tasks/cardiac-rehabilitation.toml",
        "--models", "last observation", "--models", "mixed effects", "--repeats", "1",
    )  # fmt: skip
    assert {row["weeks"] for row in found["rows"]} == {26, 52}


def test_a_version_is_let_into_service_only_by_two_people_and_an_override(
    clinic: Clinic, version: str
) -> None:
    clinic.record("audit", version)
    for role, who in (("ml-owner", "mia"), ("governance", "gus")):
        clinic.record(
            "approve", version, "--role", role, "--reason", "Read and discussed.", actor=who
        )
    promoted = clinic.record(
        "promote", version, "--approver", "A. Tester", "--reason", "only a test",
        "--until", "2999-01-01", "--restricted-use", "this test only",
    )  # fmt: skip
    assert promoted["model_version"] == version
