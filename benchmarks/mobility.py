"""Benchmark: mobility problem from wrist wearables (NHANES), beside a logistic regression.

Reads ../shared/data/nhanes_2011_14 when it is there. One split by person, a quarter unseen: folds
would only take longer. Prints one table and,
as its last line, one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.sources.nhanes_wrist import import_nhanes_wrist
from rehabcast.output import results
from training.config import TrainingConfig
from training.fit import fit_network, forward
from training.milestones import chances
from training.models.boosted import boosted_quantiles
from training.models.summaries import summaries
from training.task import read_task

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "nhanes_2011_14"
CONFIG = TrainingConfig(batch_size=128)


def logistic(train: SequenceBatch, unseen: SequenceBatch) -> NDArray[np.float64]:
    """Return chances of no problem by a logistic regression on the same inputs."""
    known_F = ~np.isnan(summaries(train)).all(axis=0)
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1_000))
    model.fit(summaries(train)[:, known_F], train.truth_BH[:, 0])
    return np.asarray(model.predict_proba(summaries(unseen)[:, known_F])[:, 1])


def chance(
    quantiles_BHQ: NDArray[np.float64], batch: SequenceBatch, task: Task
) -> NDArray[np.float64]:
    """Return chances of no problem from quantiles."""
    return chances(quantiles_BHQ, batch.last_score_B, task)[task.milestones[0].name][:, 0]


def main() -> None:
    """Measure and print."""
    if not REAL.exists():
        sys.exit(f"{REAL} is not here")
    torch.set_num_threads(1)
    task = read_task(ROOT / "tasks" / "mobility.toml")
    batch = training_sequences(import_nhanes_wrist(REAL)[0], task)
    unseen_B = np.random.default_rng(0).random(len(batch)) < 0.25
    train, unseen = batch.take(~unseen_B), batch.take(unseen_B)
    with tempfile.TemporaryDirectory() as folder:
        network = fit_network(train, task, CONFIG, seed=0, folder=Path(folder))
    told = {
        "hybrid, one network": chance(forward(network, unseen), unseen, task),
        "boosted quantiles": chance(boosted_quantiles(train, task, seed=0)(unseen), unseen, task),
        "logistic regression": logistic(train, unseen),
    }
    good_N = unseen.truth_BH[:, 0] >= 1
    table = Table("model", "people", "AUROC", "Brier", title="NHANES 2011-2014, mobility at 50-79")
    record = {}
    for name, chance_N in told.items():
        auroc, brier = roc_auc_score(good_N, chance_N), brier_score_loss(good_N, chance_N)
        record[name] = {"auroc": float(auroc), "brier": float(brier)}
        table.add_row(name, f"{len(good_N):,}", f"{auroc:.3f}", f"{brier:.3f}")
    results.print(table)
    print(json.dumps(record))


if __name__ == "__main__":
    main()
