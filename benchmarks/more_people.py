"""Benchmark: whether what more people would settle is what they settle, by the size of a cohort.

Hybrids learn from several cohorts of SIMULATED patients of one size, who have nobody in common, and
forecast the same others. *Came* is how far their medians differ, *said* is what each says of itself
(`CrossFit.by_people_H`, a jackknife of its own folds): standard deviations of a median in score
points. The second table compares rules of how the share depends on the day: *said / came* of all
cohorts together, with the standard error of its logarithm by leaving out a cohort at a time, and
how far a single cohort, which is all that a hospital has, is off. `python benchmarks/more_people.py
125` runs one size (a minute of processor with 3 folds; four with `--folds 5`, which training has).
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
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
COHORTS = {125: 12, 500: 5, 2_000: 2}
"""How many cohorts of each size: how far few of them differ is itself a matter of chance."""

Array = NDArray[np.float64]
Learned = list[tuple[SequenceBatch, CrossFit]]


def models(
    size: int, cohorts: int, batch: SequenceBatch, task: Task, config: TrainingConfig
) -> Learned:
    """Return each cohort of one size, and what learned from it."""
    learned = []
    for number in range(cohorts):
        first = JUDGED + number * size
        train = batch.take((batch.subject_B > first) & (batch.subject_B <= first + size))
        with tempfile.TemporaryDirectory() as folder:
            learned.append((train, crossfit(train, task, config, folder=Path(folder))))
    return learned


def one_share(_: SequenceBatch, fitted: CrossFit, day: int) -> Array:
    """Return the share of all days, (H,), which is what the bundle holds."""
    return fitted.by_people_H


def share_of_day(train: SequenceBatch, fitted: CrossFit, day: int) -> Array:
    """Return which share of the variance of one day's forecasts is by people, (H,)."""
    given_BH = fitted.out_of_fold_given_BH & (train.origin_day_B == day)[:, None]
    return share_by_people(fitted.by_people_BH, fitted.out_of_fold_BHQ, given_BH)


def factor_of_day(train: SequenceBatch, fitted: CrossFit, day: int) -> Array:
    """Return the share of all days times one factor of the day, the same at every horizon, (H,)."""
    share_DH = np.stack([share_of_day(train, fitted, each) for each in DAYS])
    all_DH = np.stack([_all_of_day(train, fitted, each) for each in DAYS])
    factor_D = np.ones(len(DAYS))
    # Both margins are as measured (iterative proportional fitting); a few rounds are enough.
    for _ in range(100):
        weight_DH = factor_D[:, None] * all_DH
        share_H = (share_DH * all_DH).sum(axis=0) / weight_DH.sum(axis=0)
        factor_D = (share_DH * all_DH).sum(axis=1) / (share_H * all_DH).sum(axis=1)
    return np.asarray((factor_D[DAYS.index(day)] * share_H).clip(0, 1))


def _all_of_day(train: SequenceBatch, fitted: CrossFit, day: int) -> Array:
    """Return the variance of one day's forecasts, summed over people, (H,)."""
    given_BH = fitted.out_of_fold_given_BH & (train.origin_day_B == day)[:, None]
    return np.asarray(np.where(given_BH, _variance(fitted.out_of_fold_BHQ), 0).sum(axis=0))


def _variance(quantiles_XQ: Array) -> Array:
    """Return the variance of forecasts, (X,): of normal ones with the same 80 % range."""
    return np.asarray(
        ((quantiles_XQ[..., UPPER_80] - quantiles_XQ[..., LOWER_80]) / WIDTH_OF_ONE) ** 2
    )


Rule = Callable[[SequenceBatch, CrossFit, int], Array]
RULES: dict[str, Rule] = {
    "one share for all days": one_share,
    "a share of each day": share_of_day,
    "one factor for each day": factor_of_day,
}


def measured(
    size: int, learned: Learned, quantiles_CBHQ: Array, unseen: SequenceBatch, task: Task
) -> Iterator[dict[str, object]]:
    """Yield what models of one size say of one day's forecasts, and what came, at each horizon."""
    day = int(unseen.origin_day_B[0])
    width_H = (quantiles_CBHQ[..., UPPER_80] - quantiles_CBHQ[..., LOWER_80]).mean(axis=(0, 1))
    share_H = np.mean([own.by_people_H for _, own in learned], axis=0)
    said_CH, came_H = said(one_share, learned, quantiles_CBHQ, day), came(quantiles_CBHQ)
    for h in ahead(task, day):
        truth_B1 = unseen.truth_BH[:, [h]]
        yield {
            "learned from": size,
            "cohorts": len(learned),
            "day": day,
            "week": task.horizons[h].weeks,
            "CRPS": float(np.mean([mean_crps(truth_B1, q[:, [h]]) for q in quantiles_CBHQ])),
            "width of the 80 % range": float(width_H[h]),
            "of many, said": width_of_many(float(width_H[h]), float(share_H[h])),
            "said": float(np.sqrt(said_CH[:, h].mean())),
            "came": float(np.sqrt(came_H[h])),
        }


def compared(
    size: int, learned: Learned, quantiles_CBHQ: Array, task: Task, day: int
) -> Iterator[dict[str, object]]:
    """Yield how far what each rule says of one day's forecasts is from what came."""
    seen_H = ahead(task, day)
    came_H = came(quantiles_CBHQ)[seen_H]
    cohorts = range(len(learned))
    first_C: Array | None = None
    for name, rule in RULES.items():
        said_CH = said(rule, learned, quantiles_CBHQ, day)[:, seen_H]
        without_C = [
            _log_ratio(
                np.delete(said_CH, c, axis=0), came(np.delete(quantiles_CBHQ, c, axis=0))[seen_H]
            )
            for c in cohorts
        ]  # fmt: skip
        error = np.sqrt((len(learned) - 1) * np.var(without_C))
        off_C = np.sqrt((np.log(said_CH / came_H) ** 2).mean(axis=1)) / 2
        first_C = off_C if first_C is None else first_C
        more_C = off_C - first_C
        yield {
            "learned from": size,
            "cohorts": len(learned),
            "day": day,
            "rule": name,
            "log(said / came)": _log_ratio(said_CH, came_H),
            "its standard error": float(error) if len(learned) > 2 else float("nan"),
            "one cohort off by": float(off_C.mean()),
            "more than with one share": float(more_C.mean()),
            "standard error of that": float(more_C.std(ddof=1) / np.sqrt(len(learned))),
        }


def ahead(task: Task, day: int) -> list[int]:
    """Return which horizons are after a day."""
    return [h for h, horizon in enumerate(task.horizons) if horizon.day > day]


def said(rule: Rule, learned: Learned, quantiles_CBHQ: Array, day: int) -> Array:
    """Return the variance of a median by people as each cohort's model says it, (C, H)."""
    share_CH = np.stack([rule(train, own, day) for train, own in learned])
    return np.asarray(share_CH * _variance(quantiles_CBHQ).mean(axis=1))


def came(quantiles_CBHQ: Array) -> Array:
    """Return the variance of a median between cohorts, (H,)."""
    return np.asarray(quantiles_CBHQ[..., MEDIAN].var(axis=0, ddof=1).mean(axis=0))


def _log_ratio(said_CH: Array, came_H: Array) -> float:
    """Return the mean logarithm, over horizons, of said / came as standard deviations."""
    return float(np.log(said_CH.mean(axis=0) / came_H).mean() / 2)


def known_size(text: str) -> int:
    """Return a size that there are cohorts of."""
    if text not in (sizes := [str(size) for size in COHORTS]):
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(sizes)}")
    return int(text)


def main() -> None:
    """Run the benchmark for each size, or for those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=known_size, metavar="PEOPLE")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--cohorts", type=int, help="of each size; 2 or more")
    options = parser.parse_args()
    if options.cohorts is not None and options.cohorts < 2:
        parser.error("of fewer than 2 cohorts nobody sees how far they differ")
    sizes = options.sizes or list(COHORTS)
    torch.set_num_threads(1)
    task = repository_task(UPPER_LIMB)
    cohorts = {size: options.cohorts or COHORTS[size] for size in sizes}
    largest = max(size * number for size, number in cohorts.items())
    events, _ = simulate(subjects=JUDGED + largest, seed=SEED)
    batch = training_sequences(events, task)
    rows: list[dict[str, object]] = []
    rules: list[dict[str, object]] = []
    for size in sizes:
        config = TrainingConfig(folds=options.folds)
        learned = models(size, cohorts[size], batch, task, config)
        for day in DAYS:
            unseen = batch.take((batch.subject_B <= JUDGED) & (batch.origin_day_B == day))
            quantiles_CBHQ = np.stack([ensemble_quantiles(unseen, task, m) for _, m in learned])
            rows += measured(size, learned, quantiles_CBHQ, unseen, task)
            rules += compared(size, learned, quantiles_CBHQ, task, day)
    print_frame("SIMULATED: what more people would settle", pd.DataFrame(rows))
    print_frame("SIMULATED: rules for the day", pd.DataFrame(rules))
    print(json.dumps([rows, rules]))


if __name__ == "__main__":
    main()
