"""Searches training parameters by out-of-fold CRPS; every trial is a nested run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from contracts.cohort import Cohort
from contracts.predictions import CANDIDATE
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.predictions import prediction_table
from training.scores import losses
from training.tracking import Store, run

CRPS = "out_of_fold/crps"

SPACE: Mapping[str, BaseDistribution] = {
    "hidden": IntDistribution(4, 64, log=True),
    "learning_rate": FloatDistribution(5e-4, 2e-2, log=True),
    "weight_decay": FloatDistribution(1e-4, 1.0, log=True),
    "batch_size": IntDistribution(32, 512, log=True),
    "hidden_modality_share": FloatDistribution(0.0, 0.5),
}

Settings = dict[str, Any]
Objective = Callable[[Settings], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """What to try.

    Parameters
    ----------
    objective
        Lower is better.
    space, first
        Where settings are taken from, and those to try among them.
    number, seed
        How many to try, and the seed of the choice.
    done
        Called with each setting tried and its objective.
    """

    objective: Objective
    space: Mapping[str, BaseDistribution]
    first: Settings
    number: int
    seed: int
    done: Callable[[Settings, float], None]


TrySettings = Callable[[Trials], Settings]
"""Tries settings and returns those of the lowest objective."""


def one_at_a_time(trials: Trials) -> Settings:
    """Try settings in this process, each chosen by what the earlier ones achieved."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=trials.seed))
    study.enqueue_trial(trials.first)
    for _ in range(trials.number):
        trial = study.ask(dict(trials.space))
        achieved = trials.objective(trial.params)
        study.tell(trial, achieved)
        trials.done(trial.params, achieved)
    return study.best_params


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFoldCrps:
    """Mean CRPS, score points, of forecasts made without their subject, under some settings."""

    batch: SequenceBatch
    task: Task
    config: TrainingConfig

    def __call__(self, settings: Settings) -> float:
        """Cross-fit and score."""
        with TemporaryDirectory() as folder:
            fitted = crossfit(
                self.batch, self.task, replace(self.config, **settings), folder=Path(folder)
            )
        table = prediction_table(self.batch, fitted.out_of_fold_BHQ, self.task, model=CANDIDATE)
        return float(losses(table)["crps"].mean())


def search(
    cohort: Cohort,
    task: Task,
    config: TrainingConfig,
    *,
    trials: int,
    store: Store,
    try_settings: TrySettings = one_at_a_time,
    advance: Callable[[str], None] = lambda _: None,
) -> TrainingConfig:
    """Try `trials` settings, one of them `config` itself; return the best.

    The search sees the same subjects as a training would, so what it finds must be judged on
    others: `rehabcast benchmark` on a cohort of its own, or the audit's held-out people.

    Parameters
    ----------
    try_settings
        Where: in this process, or on a cluster (`training.fitting.ray_cluster`).
    advance
        Called with a few words after each trial.
    """
    batch = training_sequences(cohort.events, task)
    tags = {"cohort": cohort.provenance.name, "simulated": str(cohort.provenance.simulated)}
    achieved: list[float] = []
    with run(store, name=f"search {task.name}", tags=tags) as parent:

        def done(settings: Settings, crps: float) -> None:
            name = f"trial {len(achieved)}"
            with run(store, name=name, tags=tags, parent=parent) as nested:
                nested.log_params(asdict(replace(config, **settings)))
                nested.log_metrics({CRPS: crps})
            achieved.append(crps)
            advance(f"{name}, CRPS {crps:.3f}")

        found = try_settings(
            Trials(
                objective=OutOfFoldCrps(batch=batch, task=task, config=config),
                space=SPACE,
                first={name: getattr(config, name) for name in SPACE},
                number=trials,
                seed=config.seed,
                done=done,
            )
        )
        best = replace(config, **found)
        parent.log_params(asdict(best))
        parent.log_metrics({CRPS: min(achieved)})
    return best
