"""Benchmark: whether what more people would settle is what they settle, by the size of a cohort.

Hybrids learn from several cohorts of SIMULATED patients of one size, who have nobody in common, and
forecast the same others. *Came* is how far their medians differ, *said* is what each says of itself
(`CrossFit.by_people_H`, a jackknife of its own folds, one share for the forecasts of every day) and
*said of the day* the same from forecasts of that day alone: standard deviations of a median in
score points. Takes about ten minutes on one idle core (`make bench NAME=more_people`; `python
benchmarks/more_people.py 125` for one size). The last line is JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from contracts.forecast import LOWER_80, MEDIAN, UPPER_80
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from inference.widening import WIDTH_OF_ONE, share_by_people, width_of_many
from support.repository import UPPER_LIMB, print_frame, repository_task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import CrossFit, crossfit, ensemble_quantiles
from training.scores import mean_crps

JUDGED, DAYS, SEED = 150, (0, 21), 11
COHORTS = {125: 3, 500: 2, 2_000: 2}
"""How many cohorts of each size; of one alone nobody sees how far it is from others."""
CONFIG = TrainingConfig(folds=3)

Array = NDArray[np.float64]


def models(size: int, batch: SequenceBatch, task: Task) -> Iterator[tuple[SequenceBatch, CrossFit]]:
    """Yield each cohort of one size, and what learned from it."""
    for number in range(COHORTS[size]):
        first = JUDGED + number * size
        train = batch.take((batch.subject_B > first) & (batch.subject_B <= first + size))
        with tempfile.TemporaryDirectory() as folder:
            yield train, crossfit(train, task, CONFIG, folder=Path(folder))


def share_of_day(train: SequenceBatch, fitted: CrossFit, day: int) -> Array:
    """Return which share of the variance of one day's forecasts is by people, (H,)."""
    given_BH = fitted.out_of_fold_given_BH & (train.origin_day_B == day)[:, None]
    return share_by_people(fitted.by_people_BH, fitted.out_of_fold_BHQ, given_BH)


def measured(size: int, batch: SequenceBatch, task: Task) -> Iterator[dict[str, object]]:
    """Yield what models of one size say, and what came, at each horizon ahead of each day."""
    learned = list(models(size, batch, task))
    for day in DAYS:
        unseen = batch.take((batch.subject_B <= JUDGED) & (batch.origin_day_B == day))
        quantiles_CBHQ = np.stack([ensemble_quantiles(unseen, task, own) for _, own in learned])
        width_CBH = quantiles_CBHQ[..., UPPER_80] - quantiles_CBHQ[..., LOWER_80]
        variance_H = ((width_CBH / WIDTH_OF_ONE) ** 2).mean(axis=(0, 1))
        share_H = np.mean([own.by_people_H for _, own in learned], axis=0)
        own_day_H = np.mean([share_of_day(train, own, day) for train, own in learned], axis=0)
        came_H = quantiles_CBHQ[..., MEDIAN].var(axis=0, ddof=1).mean(axis=0)
        for h, horizon in enumerate(task.horizons):
            if horizon.day <= day:
                continue
            truth_B1 = unseen.truth_BH[:, [h]]
            width = float(width_CBH[..., h].mean())
            yield {
                "learned from": size,
                "cohorts": len(learned),
                "day": day,
                "week": horizon.weeks,
                "CRPS": float(np.mean([mean_crps(truth_B1, q[:, [h]]) for q in quantiles_CBHQ])),
                "width of the 80 % range": width,
                "of many, said": width_of_many(width, float(share_H[h])),
                "said": float(np.sqrt(share_H[h] * variance_H[h])),
                "said of the day": float(np.sqrt(own_day_H[h] * variance_H[h])),
                "came": float(np.sqrt(came_H[h])),
            }


def main() -> None:
    """Run the benchmark for each size, or for those that are named."""
    sizes = [int(size) for size in sys.argv[1:]] or list(COHORTS)
    torch.set_num_threads(1)
    task = repository_task(UPPER_LIMB)
    largest = max(size * COHORTS[size] for size in sizes)
    events, _ = simulate(subjects=JUDGED + largest, seed=SEED)
    batch = training_sequences(events, task)
    rows = [row for size in sizes for row in measured(size, batch, task)]
    print_frame("SIMULATED: what more people would settle", pd.DataFrame(rows))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
