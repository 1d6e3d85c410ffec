"""A task with clusters, from training to what the board reads."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import load_policy
from audits.policies.clustered import cluster_effect
from contracts.cohort import Cohort, Provenance
from contracts.task import Cluster, Task
from training.fitting.config import TrainingConfig
from training.registry.model_versions import PREDICTIONS_FILE, fetch
from training.tracking import Store
from training.train import train

# MLflow itself uses deprecated interfaces.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.soak
def test_a_task_with_clusters_is_trained_and_audited_by_them(
    events: pd.DataFrame, task: Task, tmp_path: Path
) -> None:
    hospital = Cluster(name="hospital", code="REHABCAST//SITE", reason="care differs by hospital")
    cohort = Cohort(
        events=events, digest="0" * 64,
        provenance=Provenance(name="made up", source="test", simulated=True),
    )  # fmt: skip
    store = Store(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=tmp_path / "artifacts")
    version = train(
        cohort, task.model_copy(update={"clusters": (hospital,)}),
        TrainingConfig(max_epochs=1, folds=3, hidden=4), model="arm", store=store,
        checkpoints=tmp_path / "checkpoints",
    )  # fmt: skip
    table = pd.read_parquet(fetch(store, version, PREDICTIONS_FILE))
    site = events[events["code"] == "REHABCAST//SITE"].set_index("subject_id")["text_value"]
    assert (table["cluster:hospital"] == table["subject_id"].map(site)).all()
    policy = load_policy().model_copy(update={"replicates": 20})
    inputs = AuditInputs(
        model_version="arm/1", bundle_digest="b" * 64, predictions_digest="p" * 64,
        data_digest="d" * 64, code_digest="c" * 64, simulated=True,
    )  # fmt: skip
    effect = cluster_effect(table, policy, judge(table, policy, inputs), None)
    assert effect is not None
    assert [(c.name, c.clusters) for c in effect.clusterings] == [("hospital", 2)]
    assert effect.passing <= effect.passing_if_independent
