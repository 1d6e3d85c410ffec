from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from contracts.cohort import Cohort, Provenance
from contracts.task import Task
from training.fitting.config import TrainingConfig
from training.fitting.search import CRPS, search
from training.tracking import EXPERIMENT, Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.soak
def test_a_search_logs_nested_trials_and_returns_the_best_of_them(
    events: pd.DataFrame, task: Task, tmp_path: Path
) -> None:
    provenance = Provenance(name="made up", source="test", simulated=True)
    cohort = Cohort(events=events, provenance=provenance, digest="0" * 64)
    store = Store(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=tmp_path / "artifacts")
    quick = TrainingConfig(max_epochs=2, folds=3, hidden=4)
    messages: list[str] = []
    best = search(cohort, task, quick, trials=3, store=store, advance=messages.append)
    assert len(messages) == 3
    client = store.client()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = (run for run in runs if MLFLOW_PARENT_RUN_ID not in run.data.tags)
    trials = [run for run in runs if run is not parent]
    assert {run.data.tags[MLFLOW_PARENT_RUN_ID] for run in trials} == {parent.info.run_id}
    assert len(trials) == 3
    lowest = min(trials, key=lambda run: run.data.metrics[CRPS])
    assert lowest.data.params["learning_rate"] == str(best.learning_rate)
    # What is not searched stays as it was, and the first trial is where the search came from.
    assert (best.max_epochs, best.folds) == (quick.max_epochs, quick.folds)
    first = next(run for run in trials if run.info.run_name == "trial 0")
    assert first.data.params["hidden"] == "4"
