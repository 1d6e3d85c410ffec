"""The honest benchmark: every family on the same folds, again and again, with paired intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import numpy as np
import pandas as pd

from contracts import predictions as columns
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.config import TrainingConfig
from training.crossfit import network_family
from training.models import Fit
from training.models.architectures import Architecture
from training.models.boosted import boosted_quantiles
from training.models.forest import random_forest
from training.models.groups import recovery_groups
from training.models.mixed import mixed_effects
from training.models.rules import last_observation, proportional_recovery
from training.predictions import prediction_table
from training.scores import Difference, losses, paired_difference
from training.split import fold_of_subjects

MINIMUM_SUBJECTS = 20
"""A horizon or population with fewer subjects is left out of the table."""


def families(config: TrainingConfig) -> dict[str, Fit]:
    """Return every family of the benchmark by name; the first is what the others are held against.

    The first is the architecture of the configuration, which `rehabcast train` would register.
    """
    networks = sorted(get_args(Architecture), key=lambda name: name != config.architecture)
    return {
        **{name: network_family(replace(config, architecture=name)) for name in networks},
        "boosted quantiles": boosted_quantiles,
        "random forest": random_forest,
        "mixed effects": mixed_effects,
        "recovery groups": recovery_groups,
        "proportional recovery": proportional_recovery,
        "last observation": last_observation,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One family at one horizon in one population.

    Parameters
    ----------
    population
        `all`, or `early`: forecast within the task's `early_days` of onset.
    weeks, subjects
        Horizon after enrolment, and how many people it rests on.
    mae, median_absolute_error, crps, width_80
        Score points.
    coverage_80
        Share of truths inside the 80 % interval.
    mae_difference, crps_difference
        First family minus this one, paired by subject; below 0 the first is better. None for the
        first itself.
    """

    model: str
    population: str
    weeks: int
    subjects: int
    mae: float
    median_absolute_error: float
    crps: float
    coverage_80: float
    width_80: float
    mae_difference: Difference | None
    crps_difference: Difference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Result: rows of the leaderboard, and what each family costs."""

    rows: tuple[Row, ...]
    fit_seconds: dict[str, float]
    repeats: int
    folds: int

    def as_record(self) -> dict[str, Any]:
        """Return a JSON-ready record."""
        return asdict(self)


def benchmark(
    batch: SequenceBatch,
    task: Task,
    competing: Mapping[str, Fit],
    *,
    repeats: int = 5,
    folds: int = 5,
    seed: int = 0,
    advance: Callable[[str], None] = lambda _: None,
) -> Benchmark:
    """Cross-validate every family by subject, `repeats` times on fresh folds.

    Families train on pairs from all origins and are scored at the task's first origin, where a
    clinician first asks. `advance` is called with the family's name after each fit.
    """
    parts: list[pd.DataFrame] = []
    seconds = dict.fromkeys(competing, 0.0)
    for repeat in range(repeats):
        fold_of = fold_of_subjects(batch.subject_B, folds, 0.0, seed=seed + repeat)
        fold_B = np.array([fold_of[int(subject)] for subject in batch.subject_B])
        for fold in range(folds):
            train = batch.take(fold_B != fold)
            unseen = batch.take((fold_B == fold) & (batch.origin_day_B == task.origins_days[0]))
            if shared := set(train.subject_B.tolist()) & set(unseen.subject_B.tolist()):
                raise AssertionError(f"{len(shared)} subject(s) on both sides of a fold")
            for name, fit in competing.items():
                started = time.perf_counter()
                predict = fit(train, task, seed=seed + repeat * folds + fold)
                seconds[name] += time.perf_counter() - started
                parts.append(prediction_table(unseen, predict(unseen), task, model=name))
                parts[-1]["repeat"] = repeat
                advance(name)
    scored = pd.concat(parts, ignore_index=True)
    scored = scored.assign(**losses(scored))
    return Benchmark(
        rows=tuple(_rows(scored, task, list(competing))),
        fit_seconds={name: total / (repeats * folds) for name, total in seconds.items()},
        repeats=repeats,
        folds=folds,
    )


def _rows(scored: pd.DataFrame, task: Task, names: Sequence[str]) -> list[Row]:
    early = scored[scored[columns.DAYS_SINCE_ONSET] < task.early_days]
    rows = []
    for population, table in (("all", scored), ("early", early)):
        for horizon in task.horizons:
            here = table[table[columns.HORIZON] == horizon.day]
            if here[columns.SUBJECT].nunique() < MINIMUM_SUBJECTS:
                continue
            keys = ["repeat", columns.SUBJECT]
            by_model = {name: here[here[columns.MODEL] == name].sort_values(keys) for name in names}
            rows += [
                _row(name, population, horizon.weeks, by_model[name], by_model[names[0]])
                for name in names
            ]
    return rows


def _row(name: str, population: str, weeks: int, mine: pd.DataFrame, first: pd.DataFrame) -> Row:
    def difference(loss: str) -> Difference | None:
        if mine is first:
            return None
        subject_N = mine[columns.SUBJECT].to_numpy()
        return paired_difference(first[loss].to_numpy(), mine[loss].to_numpy(), subject_N)

    return Row(
        model=name,
        population=population,
        weeks=weeks,
        subjects=mine[columns.SUBJECT].nunique(),
        mae=float(mine["mae"].mean()),
        median_absolute_error=float(mine["mae"].median()),
        crps=float(mine["crps"].mean()),
        coverage_80=float(mine["coverage_80"].mean()),
        width_80=float(mine["width_80"].mean()),
        mae_difference=difference("mae"),
        crps_difference=difference("crps"),
    )
