"""`rehabcast benchmark` as a person enters it: leaks stop it, and its winner is registered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from contracts.cohort import Provenance
from contracts.errors import IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.cohort import write_cohort
from rehabcast.main import app
from training.fitting.config import TrainingConfig
from training.models import Fit, Predict
from training.models.bedside_rules import last_observation
from training.registry.model_versions import BENCHMARK_FOLDER, fetch, find
from training.tracking import Store

ROOT = Path(__file__).resolve().parents[2]
TASK = ROOT / "tasks" / "stroke-upper-limb.toml"
STEPS = "LOINC//41950-7"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REHABCAST_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("REHABCAST_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohorts") / "simulated"
    made = CliRunner().invoke(
        app, ["cohort", "simulate", str(folder), "--subjects", "60", "--seed", "4"]
    )
    assert made.exit_code == 0, made.output
    return folder


def bench(cohort: Path, *words: str, task: Path = TASK) -> dict[str, Any]:
    command = ["benchmark", "--cohort", str(cohort), "--task", str(task), *words]
    done = CliRunner().invoke(
        app, [*command, "--repeats", "1", "--folds", "3", "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    record: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return record


def compete(monkeypatch: pytest.MonkeyPatch, **families: Fit) -> None:
    """Let other families than ours take part."""
    monkeypatch.setattr("training.comparison.benchmark.families", lambda *_: families)


Check = Callable[[tuple[str, ...], dict[str, Any]], None]


def test_an_honest_benchmark_passes_every_alarm(simulated: Path, check_fields: Check) -> None:
    record = bench(simulated, "--models", "last observation", "--models", "proportional recovery")
    check_fields(("benchmark",), record)
    assert {row["model"] for row in record["standings"]} == {
        "last observation", "proportional recovery",
    }  # fmt: skip
    assert record["winner"] is None


@pytest.mark.soak
def test_who_pretrains_sees_that_network_beside_the_families_named(
    simulated: Path, tmp_path: Path
) -> None:
    """Named or not, it takes part; and it has learned from the other cohort, so it differs."""
    config = tmp_path / "quick.toml"
    replace(TrainingConfig(), max_epochs=1, folds=3).write(config)
    words = ("--models", "hybrid", "--config", str(config))
    record = bench(simulated, *words, "--pretrain-on", str(simulated))
    scores = {row["model"]: row["crps"] for row in record["standings"]}
    assert set(scores) == {"hybrid", "hybrid, pre-trained"}
    assert scores["hybrid"] != scores["hybrid, pre-trained"]
    assert record["pretrained_on"].startswith("SIMULATED ")


@pytest.mark.soak
def test_a_family_that_beats_the_bayes_floor_stops_the_command(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The floor is worked out by its own command; the family knows outcomes to a point or two."""
    task = tmp_path / "day-0.toml"
    text = TASK.read_text("utf-8").replace("origins_days = [0, 21]", "origins_days = [0]")
    task.write_text(text, "utf-8")
    floored = CliRunner().invoke(
        app, ["cohort", "floor", str(simulated), "--task", str(task), "--subjects", "24"]
    )
    assert floored.exit_code == 0, floored.output

    def peeking(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
        spread_Q = np.linspace(-2, 2, 19)
        return lambda batch: np.nan_to_num(batch.truth_BH)[..., None] + spread_Q

    compete(monkeypatch, **{"last observation": last_observation})
    honest = bench(simulated, task=task)
    assert {row["model"] for row in honest["standings"]} == {"last observation"}
    compete(monkeypatch, peeking=peeking, **{"last observation": last_observation})
    with pytest.raises(IntegrityError, match="leak: peeking has CRPS"):
        bench(simulated, task=task)


def test_a_subject_in_two_folds_stops_the_command(
    simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_pair(batch: SequenceBatch, *_: object, **__: object) -> list[tuple[int, int, Any]]:
        return [(0, fold, np.arange(len(batch)) % 2) for fold in (0, 1)]

    monkeypatch.setattr("training.comparison.benchmark._folds", by_pair)
    with pytest.raises(IntegrityError, match="on both sides of a fold"):
        bench(simulated, "--models", "last observation")


def test_a_past_with_a_value_from_the_future_stops_the_command(
    simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.sequences import training_sequences

    def one_day_late(events: pd.DataFrame, task: Task, **others: Any) -> SequenceBatch:
        batch = training_sequences(events, task, **others)
        values_BTC = batch.values_BTC.copy()
        values_BTC[:, -1, 0] += 1
        return replace(batch, values_BTC=values_BTC)

    monkeypatch.setattr("training.fitting.preparation.training_sequences", one_day_late)
    with pytest.raises(IntegrityError, match="values_BTC at day 0 changes"):
        bench(simulated, "--models", "last observation")


def test_normalising_outside_the_fold_stops_the_command(
    simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def centring(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
        honest = last_observation(train, task, seed=seed)
        return lambda batch: honest(batch) - batch.last_score_B.mean()

    compete(monkeypatch, centring=centring)
    with pytest.raises(IntegrityError, match="of centring depends on who else is forecast"):
        bench(simulated)


@pytest.mark.parametrize("command", ["train", "benchmark"])
def test_an_input_that_knows_the_outcome_stops_the_command(
    simulated: Path, tmp_path: Path, command: str
) -> None:
    """Step counts on the day of enrolment: the score at week 12 with the error of an assessment."""
    from features.cohort import read_cohort
    from features.sequences import training_sequences
    from training.task import read_task

    events = read_cohort(simulated).events
    batch = training_sequences(events, read_task(TASK))
    first = batch.take(batch.origin_day_B == 0)
    error_B = np.random.default_rng(0).normal(scale=2.46, size=len(first))
    score = dict(
        zip(first.subject_B.tolist(), (first.truth_BH[:, 3] + error_B).tolist(), strict=True)
    )
    onset_day = events[events["code"] == "REHABCAST//ENROLMENT"].set_index("subject_id")["time"]
    kept = events[events["code"] != STEPS]
    derived = pd.DataFrame(
        {
            "subject_id": list(score),
            "time": [onset_day[subject] for subject in score],
            "code": STEPS,
            "numeric_value": [1_000.0 + 10 * x for x in score.values()],
            "text_value": None,
        }
    ).dropna(subset=["numeric_value"])
    leaking = tmp_path / "leaking"
    provenance = Provenance(name="leaking", source="test", simulated=True)
    write_cohort(pd.concat([kept, derived], ignore_index=True), provenance, leaking)
    more = {"train": ["--model", "leaking"], "benchmark": ["--models", "last observation"]}
    words = [command, "--cohort", str(leaking), "--task", str(TASK), *more[command]]
    with pytest.raises(IntegrityError, match=f"{STEPS}, at day 0 agrees with the change to day 84"):
        CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.mark.soak
@pytest.mark.usefixtures("quick_training")
def test_the_winner_is_registered_with_the_leaderboard_it_won(
    simulated: Path, home: Path, tmp_path: Path, check_fields: Check
) -> None:
    quick = tmp_path / "quick.toml"
    TrainingConfig(max_epochs=1, folds=3, hidden=4).write(quick)
    record = bench(
        simulated, "--models", "hybrid", "--models", "temporal convolution",
        "--models", "last observation", "--config", str(quick), "--register", "arm",
    )  # fmt: skip
    check_fields(("benchmark", "--register"), record)
    networks = [row for row in record["standings"] if row["servable"]]
    assert record["winner"] == networks[0]["model"]
    assert networks[0]["crps"] == min(row["crps"] for row in networks)
    assert record["registered"] == "arm/1"
    store = Store(tracking_uri=f"sqlite:///{home}/mlflow.db", artifacts=home / "home" / "artifacts")
    version = find(store, "arm/1")
    attached = fetch(store, version, f"{BENCHMARK_FOLDER}/leaderboard.json")
    beside = {"run_id", "registered", "cohort_notes", "task_notes"}
    kept = {name: value for name, value in record.items() if name not in beside}
    assert json.loads(attached.read_text("utf-8")) == kept
    run = store.client().get_run(version.run_id).data
    assert run.params["architecture"] == record["winner"]
    assert run.tags["benchmark_run"] == record["run_id"]
