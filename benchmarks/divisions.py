"""Benchmark: how people are divided among the networks that are joined (docs/decisions/0001).

A network that is trained without more people can judge more of them, and learns less. Each division
is trained and joined as a model is, and forecasts people who are in no part of it: as it is served,
as the audit judges (by what is joined of the networks without one fold, on average over folds),
and as the mean of all forecasts. SIMULATED cohorts of 500 first, then, if ../shared exists, the
real stroke cohort in five outer folds. Everything has the offsets of the division's forecasts out
of fold. Takes 15 minutes on one idle core: `make bench NAME=divisions`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from contracts import predictions as columns
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from features.sources.cohorts.stroke_specs import import_stroke_specs
from inference.calibration import learn_calibration
from support.repository import REAL_DATA, UPPER_LIMB, print_frame, repository_task
from training.fitting.config import TrainingConfig
from training.fitting.joining import best_joined, join, raw_quantiles
from training.fitting.network_fit import fit_network
from training.models.layers.network import Network
from training.predictions import prediction_table
from training.scores import paired_difference, with_losses
from training.split import fold_of_rows, fold_of_subjects

REAL = REAL_DATA / "stroke_specs"
SCORED, SIZE, SEED = 400, 500, 11
COHORTS, SEEDS, OUTER = 3, 1, 5
"""SIMULATED cohorts, divisions of the real one into outer folds, and how many folds those have."""

Array = NDArray[np.float64]
Forecasts = Mapping[tuple[str, str], list[Array]]
"""Quantiles (B, H, Q) by division and by how they are made; of several the scores are averaged."""


def ring(folds: int, left_out: int) -> list[tuple[int, ...]]:
    """Leave out so many neighbours of a ring: each fold by as many networks, each by other ones."""
    return [tuple((first + n) % folds for n in range(left_out)) for first in range(folds)]


NOW, EVERYBODY = "each two of 5", "nobody, one network"
DIVISIONS: dict[str, tuple[int, list[tuple[int, ...]]]] = {
    NOW: (5, list(combinations(range(5), 2))),
    "ring of 10, two out": (10, ring(10, 2)),
}
SERVED, JUDGED, MEAN = "served", "judged", "mean of forecasts"


def fitted(train: SequenceBatch, task: Task, *, config: TrainingConfig, number: int) -> Network:
    """Return one network, with a seed of its own."""
    with tempfile.TemporaryDirectory() as folder:
        seed = config.seed * 1_000 + number
        return fit_network(train, task, config, seed=seed, folder=Path(folder))


def forecasts(train: SequenceBatch, others: SequenceBatch, task: Task, seed: int) -> Forecasts:
    """Train every division and forecast the others; print what the networks cost."""
    config = TrainingConfig(seed=seed)
    made: dict[tuple[str, str], list[Array]] = {}
    for name, (folds, left_out) in DIVISIONS.items():
        began = time.process_time()
        fold_of = fold_of_subjects(train.subject_B, folds, 0.0, seed=seed)
        fold_B = fold_of_rows(train.subject_B, fold_of)
        networks = [
            fitted(train.take(~np.isin(fold_B, without)), task, config=config, number=number)
            for number, without in enumerate(left_out)
        ]
        print(f"{name}: {time.process_time() - began:.0f} s of processor", file=sys.stderr)
        unseen = {
            fold: [n for n, out in zip(networks, left_out, strict=True) if fold in out]
            for fold in range(folds)
        }
        joined, raw_BHQ = best_joined(unseen, fold_B, train, task)
        calibration = learn_calibration(raw_BHQ, train, train, task)
        parts: dict[tuple[str, str], list[Sequence[Network]]] = {
            (name, SERVED): [join(networks, joined)],
            (name, JUDGED): [join(members, joined) for members in unseen.values()],
            (name, MEAN): [networks],
        }
        if name == NOW:
            parts[EVERYBODY, SERVED] = [[fitted(train, task, config=config, number=500)]]
        for key, several in parts.items():
            made[key] = [
                calibration.quantiles(raw_quantiles(each, others, task), others, task)
                for each in several
            ]
    return made


def scores(made: Forecasts, others: SequenceBatch, task: Task) -> Iterator[pd.DataFrame]:
    """Return the scores of each outcome, by division and by how the forecast is made."""
    keys = [columns.SUBJECT, columns.ORIGIN, columns.HORIZON]
    for (division, how), several in made.items():
        tables = [prediction_table(others, each_BHQ, task, model=how) for each_BHQ in several]
        scored = with_losses(pd.concat(tables, ignore_index=True))
        mean = scored.groupby(keys)[["crps", "coverage_80"]].mean().reset_index()
        yield mean.assign(division=division, how=how)


def print_scores(title: str, scored: pd.DataFrame) -> None:
    """Print the scores by day, and the difference in CRPS from what is served now, by person."""
    rows = []
    keys = [columns.SUBJECT, columns.ORIGIN, columns.HORIZON, "cohort"]
    now = scored[(scored["division"] == NOW) & (scored["how"] == SERVED)].set_index(keys)["crps"]
    for (division, how), of_all in scored.groupby(["division", "how"], sort=False):
        for day in (None, *sorted(of_all[columns.ORIGIN].unique())):
            part = of_all if day is None else of_all[of_all[columns.ORIGIN] == day]
            loss = part.set_index(keys)["crps"]
            difference = paired_difference(
                loss.to_numpy(), now[loss.index].to_numpy(), part[columns.SUBJECT].to_numpy()
            )
            rows.append(
                {
                    "without": division,
                    "forecast": how,
                    "day": "all" if day is None else str(day),
                    "CRPS": f"{loss.mean():.3f}",
                    "difference": difference.with_decimals(3),
                    "80 % holds": f"{100 * part['coverage_80'].mean():.1f}",
                }
            )
    print_frame(title, pd.DataFrame(rows))


def simulated() -> Iterator[tuple[SequenceBatch, SequenceBatch, Task, int]]:
    """Return cohorts that have nobody in common, and the same others beside each."""
    task = repository_task(UPPER_LIMB).model_copy(update={"origins_days": (0, 14)})
    batch = training_sequences(simulate(subjects=SCORED + SIZE, seed=SEED)[0], task)
    others = batch.take(batch.subject_B <= SCORED)
    for cohort in range(COHORTS):
        events = simulate(subjects=SIZE, seed=1_000 + cohort)[0] if cohort else None
        first = batch.take(batch.subject_B > SCORED)
        yield first if events is None else training_sequences(events, task), others, task, cohort


def real() -> Iterator[tuple[SequenceBatch, SequenceBatch, Task, int]]:
    """Return the real cohort without each outer fold, and that fold."""
    task = repository_task(UPPER_LIMB)
    batch = training_sequences(import_stroke_specs(REAL)[0], task)
    subjects = np.unique(batch.subject_B)
    for seed in range(SEEDS):
        for train_S, test_S in KFold(OUTER, shuffle=True, random_state=seed).split(subjects):
            inside_B = np.isin(batch.subject_B, subjects[train_S])
            outside_B = np.isin(batch.subject_B, subjects[test_S])
            yield batch.take(inside_B), batch.take(outside_B), task, seed


def measure(parts: Iterator[tuple[SequenceBatch, SequenceBatch, Task, int]]) -> pd.DataFrame:
    """Return the scores of all divisions of every part."""
    return pd.concat(
        [
            table.assign(cohort=seed)
            for train, others, task, seed in parts
            for table in scores(forecasts(train, others, task, seed), others, task)
        ],
        ignore_index=True,
    )


def main() -> None:
    """Measure on SIMULATED people, then on the real cohort, and print the tables."""
    print_scores("SIMULATED, 500 learned from", measure(simulated()))
    if not REAL.exists():
        sys.exit(f"{REAL} does not exist: the real stroke cohort was left out")
    print_scores("Real stroke patients, in no part of a training", measure(real()))


if __name__ == "__main__":
    main()
