"""`rehabcast cohort trace`: from lost outcomes to a draw, and back through an import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from contracts.errors import ContractError
from contracts.task import Task
from features.cohort import read_cohort
from features.cohort.follow_up import ends_of, follow_up_rows
from features.sequences import cohort_sequences, training_sequences
from rehabcast.main import app

TASK = Path(__file__).resolve().parents[3] / "tasks" / "stroke-upper-limb.toml"
MAP = """
name = "made up"
clock = "days since onset"
simulated = true

[[tables]]
file = "people.csv"
subject = "patient"
columns = [
    { column = "enrolled", code = "REHABCAST//ENROLMENT" },
    { column = "sex", code = "REHABCAST//SEX", labels = { f = "female", m = "male" } },
]

[[tables]]
file = "scores.csv"
subject = "patient"
when = "day"
columns = [{ column = "FM", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" }]
"""
CALLS = """
[[tables]]
file = "calls.csv"
subject = "subject"
columns = [
    { column = "tracing_chance", code = "REHABCAST//TRACING_CHANCE", unit = "1" },
    { column = "drawn", code = "REHABCAST//TRACING_DRAWN", labels = { yes = "yes", no = "no" } },
    { column = "traced_on_day", code = "REHABCAST//TRACED" },
]
"""


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["cohort", *map(str, arguments)])


@pytest.fixture
def source(tmp_path: Path, task: Task) -> Path:
    """40 people (SIMULATED), 20 of whom do not come to the last assessment."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "map.toml").write_text(MAP)
    people = [f"p{n}" for n in range(40)]
    last = task.horizons[-1].day
    pd.DataFrame({"patient": people, "enrolled": 0, "sex": ["f", "m"] * 20}).to_csv(
        folder / "people.csv", index=False
    )
    rows = [(p, day, 20 + day // 20) for p in people for day in (0, task.horizons[0].day)]
    rows += [(p, last, 40) for p in people[20:]]
    pd.DataFrame(rows, columns=["patient", "day", "FM"]).to_csv(folder / "scores.csv", index=False)
    return folder


def test_the_lost_are_drawn_called_imported_and_stand_for_the_others(
    source: Path, tmp_path: Path, task: Task
) -> None:
    assert run("import", "tables", source / "map.toml", tmp_path / "one").exit_code == 0
    calls = source / "calls.csv"
    options = ("--task", TASK, "--share", "0.3", "--seed", "7", "--output", calls, "--json")
    done = run("trace", tmp_path / "one", *options)
    assert done.exit_code == 0, done.exception
    result = json.loads(done.stdout)
    assert (result["lost"], result["drawn"], result["chance"]) == (20, 6, 0.3)
    table = pd.read_csv(calls)
    assert set(table["subject"]) == {f"p{n}" for n in range(20)}
    assert isinstance(run("trace", tmp_path / "one", *options).exception, ContractError)

    last = task.horizons[-1].day
    reached = table[table["drawn"] == "yes"]["subject"].tolist()[:5]
    is_reached = table["subject"].isin(reached)
    table.assign(traced_on_day=np.where(is_reached, str(last), "")).to_csv(calls, index=False)
    scores = pd.read_csv(source / "scores.csv")
    back = pd.DataFrame({"patient": reached, "day": last, "FM": 30})
    pd.concat([scores, back]).to_csv(source / "scores.csv", index=False)
    (source / "map.toml").write_text(MAP + CALLS)
    assert run("import", "tables", source / "map.toml", tmp_path / "two").exit_code == 0

    cohort = read_cohort(tmp_path / "two")
    layout = training_sequences(cohort.events, task).layout
    batch = cohort_sequences(cohort.events, task, layout, outcomes=False)
    rows = follow_up_rows(batch, ends_of(cohort.events, dates_shifted=True), task)
    late = rows[(rows["horizon_day"] == last) & (rows["origin_day"] == 0)]
    label = late["subject_id"].map(cohort.label)
    assert set(label[late["status"] == "traced"]) == set(reached)
    assert (late["status"] == "lost").sum() == 15
    assert late.loc[late["status"] != "observed", "tracing_chance"].tolist() == pytest.approx(
        20 * [0.3]
    )
    assert late["drawn"].sum() == 6
    # Whoever was in a draw is not drawn again.
    again = run("trace", tmp_path / "two", "--task", TASK, "--output", tmp_path / "again.csv")
    assert isinstance(again.exception, ContractError)


def test_a_draw_depends_on_its_seed_alone(source: Path, tmp_path: Path) -> None:
    assert run("import", "tables", source / "map.toml", tmp_path / "one").exit_code == 0
    drawn = []
    for number, seed in enumerate((1, 1, 2)):
        file = tmp_path / f"{number}.csv"
        options = ("--task", TASK, "--seed", seed, "--output", file)
        assert run("trace", tmp_path / "one", *options).exit_code == 0
        drawn.append(file.read_text())
    assert drawn[0] == drawn[1] != drawn[2]
