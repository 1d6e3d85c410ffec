"""Trains a version again in the ways that are meant to make it fairer, for `audit --mitigate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from contracts.cohort import Cohort
from contracts.errors import ContractError
from contracts.mitigation import CHECKPOINT, DRO, PLAIN, REWEIGHING
from contracts.predictions import CANDIDATE, FOLD, SUBJECT
from features.sequences import training_sequences
from inference.bundle import Bundle
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.predictions import prediction_table
from training.split import fold_of_subjects, rows_held_out

EVERYBODY = 2**31
"""No group holds so many outcomes: everybody's loss alone chooses the epoch."""


def configurations(config: TrainingConfig) -> dict[str, TrainingConfig]:
    """Return the training parameters of each way; nothing else differs between them."""
    plain = replace(config, minimum_group=EVERYBODY, robustness="none")
    return {
        PLAIN: plain,
        CHECKPOINT: replace(config, robustness="none"),
        REWEIGHING: replace(plain, robustness="reweighing"),
        DRO: replace(plain, robustness="group DRO"),
    }


def train_variants(
    cohort: Cohort,
    bundle: Bundle,
    config: TrainingConfig,
    *,
    advance: Callable[[str], None] = lambda _: None,
) -> dict[str, pd.DataFrame]:
    """Return the out-of-fold prediction table of each way, on the version's own people and folds.

    Parameters
    ----------
    cohort, config
        What the version was trained on and with.
    advance
        Called with a few words after each network.

    Raises
    ------
    ContractError
        Cohort or parameters are not those of the version, or it was pretrained.
    """
    manifest = bundle.manifest
    if cohort.digest != manifest.data_digest:
        raise ContractError(
            f"--cohort is not the one that the version was trained on ({manifest.cohort_name!r}):"
            " the ways would be compared on other people"
        )
    if config.digest != manifest.config_digest:
        raise ContractError(
            "the parameters are not those that the version was trained with: give the same --config"
        )
    if manifest.pretrained_on:
        raise ContractError(
            f"the version was pretrained on {manifest.pretrained_on}, which the ways would not be"
        )
    every = training_sequences(cohort.events, bundle.task)
    dealt = fold_of_subjects(every.subject_B, config.folds, config.held_out_share, seed=config.seed)
    batch = every.take(~rows_held_out(every.subject_B, dealt))
    fold_of = fold_of_subjects(batch.subject_B, config.folds, 0.0, seed=config.seed)
    tables = {}
    for name, parameters in configurations(config).items():
        with TemporaryDirectory() as place:
            fitted = crossfit(
                batch,
                bundle.task,
                parameters,
                folder=Path(place),
                advance=lambda name=name: advance(name),  # type: ignore[misc]
            )
        table = prediction_table(batch, fitted.out_of_fold_BHQ, bundle.task, model=CANDIDATE)
        tables[name] = table.assign(**{FOLD: table[SUBJECT].map(fold_of)})
    return tables
