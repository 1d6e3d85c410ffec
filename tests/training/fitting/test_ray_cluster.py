"""A real Ray cluster on this machine does what this process does."""

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

QUICK = TrainingConfig(max_epochs=2, folds=2, hidden=4)

# Ray's own use of deprecated interfaces is not ours to mend.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


def test_ray_train_fits_the_same_weights_to_the_last_bit(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    here = crossfit(batch, task, QUICK, folder=tmp_path / "here")
    there = crossfit(batch, task, QUICK, folder=tmp_path / "there", fit_folds=RayCluster().fit)
    for ours, theirs in zip(here.members, there.members, strict=True):
        weights = theirs.state_dict()
        assert weights
        for name, value in ours.state_dict().items():
            assert torch.equal(value, weights[name]), name
    assert (here.out_of_fold_BHQ == there.out_of_fold_BHQ).all()


def test_ray_tune_tries_the_given_settings_too_and_returns_the_best(
    events: object, task: Task, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    provenance = Provenance(name="made up", source="test", simulated=True)
    cohort = Cohort(events=events, provenance=provenance, digest="0" * 64)
    store = Store(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=tmp_path / "artifacts")
    told: list[str] = []
    quick = TrainingConfig(max_epochs=1, folds=2, hidden=4)
    best = search(
        cohort, task, quick, trials=3, store=store, strategy=RayCluster().search,
        advance=told.append,
    )  # fmt: skip
    assert len(told) == 3
    client = store.client()
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments)
    trials = [each for each in runs if each.info.run_name.startswith("trial")]
    assert str(quick.learning_rate) in {each.data.params["learning_rate"] for each in trials}
    lowest = min(trials, key=lambda each: each.data.metrics[CRPS])
    assert lowest.data.params["hidden"] == str(best.hidden)
    parents = [each for each in runs if each.info.run_name.startswith("search")]
    assert parents[0].data.metrics[CRPS] == lowest.data.metrics[CRPS]


def test_without_ray_it_is_told_what_to_install(
    batch: SequenceBatch, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ContractError, match=r"pip install 'rehabcast\[scale\]'"):
        crossfit(batch, task, QUICK, folder=tmp_path, fit_folds=RayCluster().fit)
