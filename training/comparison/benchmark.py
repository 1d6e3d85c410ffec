"""The benchmark: every model family on the same repeated folds, with paired intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts import predictions as columns
from contracts.errors import ContractError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.comparison.bayes_floor import check_floor
from training.comparison.leaderboard import (
    REPEAT,
    LeaderboardRow,
    MilestoneRow,
    leaderboard_rows,
    milestone_rows,
)
from training.comparison.model_selection import PRETRAINED, RankedFamily, rank_families
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import network_family
from training.fitting.leaks import check_batch_independence, check_folds
from training.fitting.pretrain import Pretrained
from training.models import Fit, Predict
from training.models.architectures import Architecture, new_network
from training.models.bedside_rules import last_observation, proportional_recovery
from training.models.boosted import boosted_quantiles
from training.models.forest import random_forest
from training.models.mixed_effects import mixed_effects
from training.models.recovery_groups import recovery_groups
from training.models.rivals.bayesian_recovery import bayesian_recovery
from training.models.rivals.kernel_regression import kernel_regression
from training.models.rivals.recovery_process import recovery_process
from training.models.stack import stack
from training.predictions import prediction_table
from training.scores import with_losses
from training.split import fold_of_rows, fold_of_sites, fold_of_subjects

SplitBy = Literal["subject", "site"]

SITE_CODE = "REHABCAST//SITE"
PRICED_PAIRS = 1_000

LATE_FUSION: dict[str, Any] = {"learning_rate": 5e-3, "weight_decay": 1e-2}
"""Parameters with which the late-fusion networks do best; with the hybrid's they underfit."""


def families(
    config: TrainingConfig, task: Task, pretrained: Pretrained | None = None
) -> dict[str, Fit]:
    """Return every family of the benchmark by name; the others are compared with the first.

    The first is the architecture of the configuration, which `rehabcast train` would register. The
    published groups compete where the task names a prior.
    """
    first: str = config.architecture
    names = sorted(get_args(Architecture), key=lambda name: name != first)
    networks: dict[str, Fit] = {name: network_family(config_of(name, config)) for name in names}
    if pretrained is not None:
        networks[first + PRETRAINED] = network_family(config, pretrained.weights)
    return {
        **networks,
        "stack": stack(
            {
                first: network_family(replace(config, folds=4)),
                "boosted quantiles": boosted_quantiles,
                "random forest": random_forest,
            }
        ),
        "boosted quantiles": boosted_quantiles,
        "random forest": random_forest,
        "mixed effects": mixed_effects,
        "kernel regression": kernel_regression,
        "Gaussian process": recovery_process,
        "Bayesian recovery": bayesian_recovery,
        **({} if task.prior is None else {"recovery groups": recovery_groups}),
        "proportional recovery": proportional_recovery,
        "last observation": last_observation,
    }


def config_of(name: str, config: TrainingConfig) -> TrainingConfig:
    """Return the parameters with which a network is benchmarked, and trained if it is selected."""
    architecture: Any = name.removesuffix(PRETRAINED)
    if architecture == config.architecture:
        return config
    return replace(config, architecture=architecture, **LATE_FUSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Computational cost of a family.

    Parameters
    ----------
    fit_seconds
        Mean time of one fit, on one thread.
    alone_ms, together_ms
        Time of a forecast of one subject alone, and per subject of many in one call.
    parameters
        Number of learned parameters of one network; None for families that are not networks.
    """

    fit_seconds: float
    alone_ms: float
    together_ms: float
    parameters: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Result: ranking, rows of the leaderboard, milestones, and the cost of each family."""

    standings: tuple[RankedFamily, ...]
    rows: tuple[LeaderboardRow, ...]
    milestones: tuple[MilestoneRow, ...]
    prices: dict[str, Price]
    by: SplitBy
    repeats: int
    folds: int


def benchmark(
    batch: SequenceBatch,
    task: Task,
    families_by_name: Mapping[str, Fit],
    *,
    by: SplitBy = "subject",
    repeats: int = 5,
    folds: int = 5,
    seed: int = 0,
    floor: pd.DataFrame | None = None,
    advance: Callable[[str], None] = lambda _: None,
) -> tuple[Benchmark, pd.DataFrame]:
    """Cross-validate every family, `repeats` times on fresh folds by subject, or once by site.

    Families train on pairs from all origins and learn everything, including normalisation and
    calibration, inside the fold. `advance` is called with the family's name after each fit,
    `number_of_fits(...)` times in all.

    Parameters
    ----------
    floor
        Prediction table of the Bayes floor, for a simulated cohort.

    Returns
    -------
    The result, and the prediction table with losses from which it was computed.

    Raises
    ------
    IntegrityError
        A leak (`training.fitting.leaks`), or a family that beats the floor. Inputs that know the
        outcome are refused before, where the pairs are made (`training.fitting.preparation`).
    """
    parts: list[pd.DataFrame] = []
    seconds = dict.fromkeys(families_by_name, 0.0)
    last: dict[str, tuple[Predict, SequenceBatch]] = {}
    count = 0
    for repeat, fold, fold_B in _folds(batch, task, by, repeats, folds, seed):
        count += 1
        train, unseen = batch.take(fold_B != fold), batch.take(fold_B == fold)
        check_folds(train, unseen)
        for name, fit in families_by_name.items():
            started = time.perf_counter()
            predict = fit(train, task, seed=seed + repeat * folds + fold)
            seconds[name] += time.perf_counter() - started
            if name not in last:
                check_batch_independence(predict, unseen, model=name)
            last[name] = (predict, unseen)
            parts.append(prediction_table(unseen, predict(unseen), task, model=name))
            parts[-1][REPEAT] = repeat
            advance(name)
    names = list(families_by_name)
    if floor is not None:
        for _, predictions in pd.concat(parts, ignore_index=True).groupby(columns.MODEL):
            check_floor(predictions, floor)
        names.append(str(floor["model"].iloc[0]))
        parts += [floor.assign(**{REPEAT: repeat}) for repeat in range(parts[-1][REPEAT].max() + 1)]
    scored = with_losses(pd.concat(parts, ignore_index=True))
    result = Benchmark(
        standings=rank_families(scored, list(families_by_name)),
        rows=tuple(leaderboard_rows(scored, task, names)),
        milestones=tuple(milestone_rows(scored, task, names)),
        prices={
            name: _price(name, seconds[name] / count, *last[name], task)
            for name in families_by_name
        },
        by=by,
        repeats=repeats if by == "subject" else 1,
        folds=folds if by == "subject" else count,
    )
    return result, scored


def number_of_fits(batch: SequenceBatch, task: Task, by: SplitBy, repeats: int, folds: int) -> int:
    """Return how many times a benchmark will fit each family."""
    return sum(1 for _ in _folds(batch, task, by, repeats, folds, seed=0))


def _folds(
    batch: SequenceBatch, task: Task, by: SplitBy, repeats: int, folds: int, seed: int
) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Yield repeat, fold, and the fold of each pair."""
    if by == "site":
        fold_of, sites = fold_of_sites(batch.subject_B, _sites(batch, task))
        fold_B = fold_of_rows(batch.subject_B, fold_of)
        yield from ((0, fold, fold_B) for fold in range(len(sites)))
        return
    if (people := len(np.unique(batch.subject_B))) < folds:
        raise ContractError(
            f"{folds} folds by subject, but {people} people to compare on",
            "ask for fewer folds than there are people",
        )
    for repeat in range(repeats):
        fold_of = fold_of_subjects(batch.subject_B, folds, 0.0, seed=seed + repeat)
        fold_B = fold_of_rows(batch.subject_B, fold_of)
        yield from ((repeat, fold, fold_B) for fold in range(folds))


def _sites(batch: SequenceBatch, task: Task) -> NDArray[np.object_]:
    for attribute in task.sensitive:
        if attribute.code == SITE_CODE:
            return batch.groups_B[attribute.name].to_numpy(dtype=object)
    raise ContractError(
        f"task {task.name} has no sensitive attribute with the code {SITE_CODE}",
        "add one to the task file to split by site, or split by subject",
    )


def _price(
    name: str, fit_seconds: float, predict: Predict, batch: SequenceBatch, task: Task
) -> Price:
    one = batch.take(np.array([0]))
    many = batch.take(np.resize(np.arange(len(batch)), PRICED_PAIRS))
    parameters = None
    for architecture in get_args(Architecture):
        if name.removesuffix(PRETRAINED) == architecture:
            network = new_network(batch.layout, task, architecture, TrainingConfig().hidden)
            parameters = sum(p.numel() for p in network.parameters())
    return Price(
        fit_seconds=fit_seconds,
        alone_ms=1e3 * min(_seconds(predict, one) for _ in range(5)),
        together_ms=1e3 * _seconds(predict, many) / PRICED_PAIRS,
        parameters=parameters,
    )


def _seconds(predict: Predict, batch: SequenceBatch) -> float:
    started = time.perf_counter()
    predict(batch)
    return time.perf_counter() - started
