"""A task that says by what its people are clustered: from the cohort to the audit's report."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audits.report.editions import REPORT_FILE
from tests.command_line import CommandLine
from training.fitting.config import TrainingConfig

TASK = Path(__file__).resolve().parents[2] / "tasks" / "stroke-upper-limb.toml"
CLUSTERS = """
[[clusters]]
name = "ward"
code = "REHABCAST//SITE"
reason = "people of one hospital share therapists and assessors"
"""


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_people_are_clustered_in_training_and_in_the_audit_as_the_task_declares(
    tmp_path: Path,
) -> None:
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "task.toml").write_text(TASK.read_text("utf-8") + CLUSTERS, "utf-8")
    TrainingConfig(max_epochs=1, folds=3).write(tmp_path / "config.toml")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with closing(CommandLine()) as command_line:

        def run(*words: str) -> dict[str, Any]:
            done = command_line.run([*words, "--json"], cwd=tmp_path, env=environment, umask=0)
            assert done.returncode == 0, done.stderr
            record: dict[str, Any] = json.loads(done.stdout)
            return record

        run("cohort", "simulate", "cohort", "--subjects", "60", "--seed", "3")
        trained = run(
            "train", "--cohort", "cohort", "--task", "task.toml", "--model", "arm",
            "--config", "config.toml",
        )  # fmt: skip
        audited = run("audit", trained["model_version"])
    (table,) = tmp_path.rglob("predictions.parquet")
    people = pd.read_parquet(table).drop_duplicates("subject_id")
    assert (people["cluster:ward"] == people["group:hospital"].astype(str)).all()
    report = json.loads((Path(audited["report_folder"]) / REPORT_FILE).read_text("utf-8"))
    (clustering,) = report["clusters"]["clusterings"]
    assert (clustering["name"], clustering["clusters"]) == (
        "ward",
        people["cluster:ward"].nunique(),
    )
    assert "ward" in (Path(audited["report_folder"]) / "governance.html").read_text("utf-8")
