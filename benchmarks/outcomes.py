"""Benchmark: binary outcomes from wrist wearables (NHANES), beside a logistic regression.

Mobility problem at the visit and five-year survival, in people aged 50 to 79. Reads
../shared/data/nhanes_2011_14 if it exists. One split by person with a quarter for testing: there
are enough people to do without folds. Prints a table for each task and, as its last line, one JSON
object.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rich.table import Table
from sklearn.metrics import brier_score_loss, roc_auc_score

from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.sources.cohorts.nhanes_wrist import import_nhanes_wrist
from inference.milestones import assessed, chances
from rehabcast.output import stdout_console
from support.plain_logistic import logistic
from support.repository import REAL_DATA, repository_task
from training.comparison.leaderboard import calibration_slope
from training.fitting.config import TrainingConfig
from training.fitting.network_fit import fit_network, forward
from training.models.boosted import boosted_quantiles

REAL = REAL_DATA / "nhanes_2011_14"
TASKS = ("mobility", "five-year-survival")
CONFIG = TrainingConfig(batch_size=128)

Array = NDArray[np.float64]


def chance(quantiles_BHQ: Array, batch: SequenceBatch, task: Task) -> Array:
    """Return the chances of the better outcome from quantiles."""
    stated = chances(quantiles_BHQ, batch.last_score_B, task, assessed_B=assessed(batch, task))
    return stated[task.milestones[0].name][:, 0]


def measure(events: pd.DataFrame, task: Task) -> dict[str, dict[str, Any]]:
    """Return the scores of each model on the people it was not trained on."""
    batch = training_sequences(events, task)
    unseen_B = np.random.default_rng(0).random(len(batch)) < 0.25
    train, unseen = batch.take(~unseen_B), batch.take(unseen_B)
    with tempfile.TemporaryDirectory() as folder:
        network = fit_network(train, task, CONFIG, seed=0, folder=Path(folder))
    chance_by_model = {
        "hybrid, one network": chance(forward(network, unseen), unseen, task),
        "boosted quantiles": chance(boosted_quantiles(train, task, seed=0)(unseen), unseen, task),
        "logistic regression": logistic(train, unseen, train.truth_BH[:, 0] >= 1),
        "share in training": np.full(len(unseen), train.truth_BH[:, 0].mean(dtype=np.float64)),
    }
    good_N = unseen.truth_BH[:, 0] >= 1
    return {
        name: {
            "people": len(good_N),
            "without": int((~good_N).sum()),
            "auroc": float(roc_auc_score(good_N, chance_N)),
            "brier": float(brier_score_loss(good_N, chance_N)),
            "slope": calibration_slope(chance_N, good_N),
            "mean_chance": float(chance_N.mean()),
            "share": float(good_N.mean()),
        }
        for name, chance_N in chance_by_model.items()
    }


def main() -> None:
    """Run the benchmark for each task and print the results."""
    if not REAL.exists():
        sys.exit(f"{REAL} does not exist: there is nothing to run on")
    torch.set_num_threads(1)
    events = import_nhanes_wrist(REAL)[0]
    record = {}
    for name in TASKS:
        task = repository_task(name)
        record[name] = measure(events, task)
        table = Table(
            "model", "people", "without the outcome", "AUROC", "Brier", "calibration slope",
            "mean chance, share",
            title=f"NHANES 2011-2014 at 50-79: {task.milestones[0].name}",
        )  # fmt: skip
        for model, row in record[name].items():
            table.add_row(
                model, f"{row['people']:,}", str(row["without"]), f"{row['auroc']:.3f}",
                f"{row['brier']:.4f}", "" if row["slope"] is None else f"{row['slope']:.2f}",
                f"{row['mean_chance']:.3f}, {row['share']:.3f}",
            )  # fmt: skip
        stdout_console.print(table)
    print(json.dumps(record))


if __name__ == "__main__":
    main()
