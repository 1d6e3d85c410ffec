"""Searches for training parameters by out-of-fold CRPS; every trial is a nested run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from contracts.cohort import Cohort
from contracts.groups import is_few
from contracts.predictions import CANDIDATE
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.fitting.preparation import CohortNote, cohort_notes, require_horizon, training_parts
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
    """The trials of a search.

    Parameters
    ----------
    objective
        Lower is better.
    space, initial
        Search space, and settings that are tried in any case.
    number, seed
        Number of trials, and the seed of the sampler.
    on_trial_end
        Called with the settings of each trial and its objective.
    """

    objective: Objective
    space: Mapping[str, BaseDistribution]
    initial: Settings
    number: int
    seed: int
    on_trial_end: Callable[[Settings, float], None]


SearchStrategy = Callable[[Trials], Settings]
"""Runs trials and returns the settings with the lowest objective."""


def search_sequentially(trials: Trials) -> Settings:
    """Run trials in this process, each with settings chosen from the results so far."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=trials.seed))
    study.enqueue_trial(trials.initial)
    for _ in range(trials.number):
        trial = study.ask(dict(trials.space))
        value = trials.objective(trial.params)
        study.tell(trial, value)
        trials.on_trial_end(trial.params, value)
    return study.best_params


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFoldCrps:
    """Mean CRPS of out-of-fold forecasts with some settings, score points."""

    batch: SequenceBatch
    tuning: SequenceBatch | None
    task: Task
    config: TrainingConfig

    def __call__(self, settings: Settings) -> float:
        """Cross-fit and score."""
        with TemporaryDirectory() as folder:
            fitted = crossfit(
                self.batch,
                self.task,
                replace(self.config, **settings),
                folder=Path(folder),
                tuning=self.tuning,
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
    strategy: SearchStrategy = search_sequentially,
    advance: Callable[[str], None] = lambda _: None,
    tell: Callable[[tuple[CohortNote, ...]], None] = lambda _: None,
) -> TrainingConfig:
    """Try `trials` settings, one of them `config` itself; return the best.

    The search uses the subjects that training would, and those that training holds out at random;
    people whom the cohort declares as held out are never used. Evaluate the result on them, or on
    another cohort.

    Parameters
    ----------
    strategy
        Runs the trials: in this process, or on a cluster (`training.fitting.ray_cluster`).
    advance
        Called with a short message after each trial.
    tell
        Called before the first trial, with what the cohort cannot fill of the task.
    """
    parts = training_parts(cohort, task, replace(config, held_out_share=0.0))
    require_horizon(parts.train, task)
    tell(cohort_notes(parts.train, task))
    tags = {"cohort": cohort.provenance.name, "simulated": str(cohort.provenance.simulated)}
    values: list[float] = []
    may_be_logged = not is_few(len(set(parts.train.subject_B.tolist())))
    with run(store, name=f"search {task.name}", tags=tags) as parent:

        def log_trial(settings: Settings, crps: float) -> None:
            name = f"trial {len(values)}"
            with run(store, name=name, tags=tags, parent=parent) as nested:
                nested.log_params(asdict(replace(config, **settings)))
                nested.log_metrics({CRPS: crps} if may_be_logged else {})
            values.append(crps)
            advance(f"{name}, CRPS {crps:.3f}")

        best_settings = strategy(
            Trials(
                objective=OutOfFoldCrps(
                    batch=parts.train, tuning=parts.tuning, task=task, config=config
                ),
                space=SPACE,
                initial={name: getattr(config, name) for name in SPACE},
                number=trials,
                seed=config.seed,
                on_trial_end=log_trial,
            )
        )
        best = replace(config, **best_settings)
        parent.log_params(asdict(best))
        parent.log_metrics({CRPS: min(values)} if may_be_logged else {})
    return best
