"""Benchmark: whether what more people would settle is what they settle, by the size of a cohort.

Hybrids learn from several cohorts of SIMULATED patients of one size, who have nobody in common, and
forecast the same others. How far their medians differ is what comes of other people to learn from;
what each says of itself is `CrossFit.by_people_H`, a jackknife of its own folds. Both are shares of
a forecast's variance, on day 21, over all horizons ahead. Takes about five minutes on one idle core
(`make bench NAME=more_people`; `python benchmarks/more_people.py 125` for one size). The last line
is JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.forecast import LOWER_80, MEDIAN, UPPER_80
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from inference.widening import WIDTH_OF_ONE, width_of_many
from support.repository import UPPER_LIMB, print_frame, repository_task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit, ensemble_quantiles
from training.scores import mean_crps

JUDGED, DAY, SEED = 150, 21, 11
COHORTS = {125: 3, 500: 2, 2_000: 1}
"""How many cohorts of each size; of one alone nobody sees how far it is from others."""
CONFIG = TrainingConfig(folds=3)


def measured(size: int, batch: SequenceBatch, task: Task) -> dict[str, float]:
    """Return what models of one size say, and what came, means over horizons ahead of `DAY`."""
    unseen = batch.take((batch.subject_B <= JUDGED) & (batch.origin_day_B == DAY))
    ahead_H = np.array([horizon.day for horizon in task.horizons]) > DAY
    forecasts, said = [], []
    for number in range(COHORTS[size]):
        first = JUDGED + number * size
        train = batch.take((batch.subject_B > first) & (batch.subject_B <= first + size))
        with tempfile.TemporaryDirectory() as folder:
            fitted = crossfit(train, task, CONFIG, folder=Path(folder))
        forecasts.append(ensemble_quantiles(unseen, task, fitted)[:, ahead_H])
        said.append(fitted.by_people_H[ahead_H])
    quantiles_CBHQ = np.stack(forecasts)
    width_CBH = quantiles_CBHQ[..., UPPER_80] - quantiles_CBHQ[..., LOWER_80]
    variance = float(((width_CBH / WIDTH_OF_ONE) ** 2).mean())
    enough = len(forecasts) > 1
    apart = float(quantiles_CBHQ[..., MEDIAN].var(axis=0, ddof=1).mean()) if enough else np.nan
    share, width = float(np.mean(said)), float(width_CBH.mean())
    truth_BH = unseen.truth_BH[:, ahead_H]
    return {
        "learned from": size,
        "cohorts": len(forecasts),
        "CRPS": float(np.mean([mean_crps(truth_BH, each) for each in forecasts])),
        "width now": width,
        "by people, said": share,
        "by people, came": apart / variance,
        "narrower, said": width - width_of_many(width, share),
        "width of many, said": width_of_many(width, share),
    }


def main() -> None:
    """Run the benchmark for each size, or for those that are named."""
    sizes = [int(size) for size in sys.argv[1:]] or list(COHORTS)
    task = repository_task(UPPER_LIMB)
    largest = max(size * COHORTS[size] for size in sizes)
    events, _ = simulate(subjects=JUDGED + largest, seed=SEED)
    batch = training_sequences(events, task)
    rows = [measured(size, batch, task) for size in sizes]
    print_frame("SIMULATED: what more people would settle", pd.DataFrame(rows).round(4))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
