"""Searches training parameters by out-of-fold CRPS; every trial is a nested run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna

from contracts.cohort import Cohort
from contracts.predictions import CANDIDATE
from contracts.task import Task
from features.sequences import training_sequences
from training.config import TrainingConfig
from training.crossfit import crossfit
from training.predictions import prediction_table
from training.scores import losses
from training.tracking import Run, Store, run

CRPS = "out_of_fold/crps"


def search(
    cohort: Cohort,
    task: Task,
    config: TrainingConfig,
    *,
    trials: int,
    store: Store,
    advance: Callable[[str], None] = lambda _: None,
) -> TrainingConfig:
    """Try `trials` settings, the first being `config` itself; return the best.

    The search sees the same subjects as a training would, so what it finds must be judged on
    others: `rehabcast benchmark` on a cohort of its own, or the audit's held-out people.

    Parameters
    ----------
    advance
        Called with a few words after each trial.
    """
    batch = training_sequences(cohort.events, task)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=config.seed))
    study.enqueue_trial({name: getattr(config, name) for name in _SPACE})
    tags = {"cohort": cohort.provenance.name, "simulated": str(cohort.provenance.simulated)}
    with run(store, name=f"search {task.name}", tags=tags) as parent:

        def objective(trial: optuna.Trial) -> float:
            tried = replace(config, **{name: ask(trial) for name, ask in _SPACE.items()})
            with run(store, name=f"trial {trial.number}", tags=tags, parent=parent) as nested:
                nested.log_params(asdict(tried))
                with TemporaryDirectory() as folder:
                    fitted = crossfit(batch, task, tried, folder=Path(folder))
                table = prediction_table(batch, fitted.out_of_fold_BHQ, task, model=CANDIDATE)
                crps = float(losses(table)["crps"].mean())
                nested.log_metrics({CRPS: crps})
            advance(f"trial {trial.number}, CRPS {crps:.3f}")
            return crps

        study.optimize(objective, n_trials=trials)
        best = replace(config, **study.best_params)
        _log_best(parent, best, study.best_value)
    return best


def _log_best(parent: Run, best: TrainingConfig, crps: float) -> None:
    parent.log_params(asdict(best))
    parent.log_metrics({CRPS: crps})


_SPACE: dict[str, Callable[[optuna.Trial], Any]] = {
    "hidden": lambda trial: trial.suggest_int("hidden", 4, 64, log=True),
    "learning_rate": lambda trial: trial.suggest_float("learning_rate", 5e-4, 2e-2, log=True),
    "weight_decay": lambda trial: trial.suggest_float("weight_decay", 1e-4, 1.0, log=True),
    "batch_size": lambda trial: trial.suggest_int("batch_size", 32, 512, log=True),
    "hidden_modality_share": lambda trial: trial.suggest_float("hidden_modality_share", 0.0, 0.5),
}
