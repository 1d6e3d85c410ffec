"""A real Ray cluster on this machine gives the same results as this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from contracts.cohort import Cohort, Provenance
from contracts.errors import ContractError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.fitting.ray_cluster import RayCluster
from training.fitting.search import CRPS, search
from training.tracking import Store

QUICK = TrainingConfig(max_epochs=2, folds=3, hidden=4)

# Ray itself uses deprecated interfaces.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


@pytest.mark.soak
def test_ray_train_fits_the_same_weights_to_the_last_bit(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    local = crossfit(batch, task, QUICK, folder=tmp_path / "local")
    on_ray = crossfit(batch, task, QUICK, folder=tmp_path / "ray", fit_folds=RayCluster().fit)
    for local_member, ray_member in zip(local.served, on_ray.served, strict=True):
        weights = ray_member.state_dict()
        assert weights
        for name, value in local_member.state_dict().items():
            assert torch.equal(value, weights[name]), name
    assert (local.out_of_fold_BHQ == on_ray.out_of_fold_BHQ).all()


@pytest.mark.soak
def test_ray_tune_tries_the_given_settings_too_and_returns_the_best(
    events: object, task: Task, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    provenance = Provenance(name="made up", source="test", simulated=True)
    cohort = Cohort(events=events, provenance=provenance, digest="0" * 64)
    store = Store(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=tmp_path / "artifacts")
    messages: list[str] = []
    quick = TrainingConfig(max_epochs=1, folds=3, hidden=4)
    best = search(
        cohort, task, quick, trials=3, store=store, strategy=RayCluster().search,
        advance=messages.append,
    )  # fmt: skip
    assert len(messages) == 3
    client = store.client()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments)
    trials = [run for run in runs if run.info.run_name.startswith("trial")]
    assert str(quick.learning_rate) in {trial.data.params["learning_rate"] for trial in trials}
    lowest = min(trials, key=lambda trial: trial.data.metrics[CRPS])
    assert lowest.data.params["hidden"] == str(best.hidden)
    parents = [run for run in runs if run.info.run_name.startswith("search")]
    assert parents[0].data.metrics[CRPS] == lowest.data.metrics[CRPS]


def test_without_ray_the_error_names_the_package_to_install(
    batch: SequenceBatch, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ContractError, match=r"pip install 'rehabcast\[scale\]'"):
        crossfit(batch, task, QUICK, folder=tmp_path, fit_folds=RayCluster().fit)
