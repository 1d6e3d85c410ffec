"""Trains variants of a model version with bias mitigation, for `rehabcast audit --mitigate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from contracts.cohort import Cohort
from contracts.errors import ContractError
from contracts.naming.mitigations import CHECKPOINT, DRO, PLAIN, REWEIGHING
from contracts.predictions import CANDIDATE, FOLD, SUBJECT
from inference.bundle import Bundle
from training.fitting.config import LARGEST, TrainingConfig
from training.fitting.crossfit import crossfit, networks_of
from training.fitting.preparation import training_parts
from training.predictions import prediction_table
from training.split import fold_of_subjects

NO_GROUP = LARGEST
"""Minimum group size that no group reaches, so that the overall loss alone chooses the epoch."""


def configurations(config: TrainingConfig) -> dict[str, TrainingConfig]:
    """Return the training parameters of each variant; nothing else differs between them.

    Only where people are watched is there a choice of a checkpoint for groups to be aware of.
    """
    plain = replace(config, minimum_group=NO_GROUP, robustness="none")
    return {
        PLAIN: plain,
        CHECKPOINT: replace(config, stopping="early stopping", robustness="none"),
        REWEIGHING: replace(plain, robustness="reweighing"),
        DRO: replace(plain, robustness="group DRO"),
    }


def steps(config: TrainingConfig) -> int:
    """Return how many networks `train_variants` trains."""
    return sum(networks_of(each) for each in configurations(config).values())


def train_variants(
    cohort: Cohort,
    bundle: Bundle,
    config: TrainingConfig,
    *,
    advance: Callable[[str], None] = lambda _: None,
) -> dict[str, pd.DataFrame]:
    """Return the out-of-fold prediction table of each variant, on the version's subjects and folds.

    Parameters
    ----------
    cohort, config
        Cohort and parameters that the version was trained with.
    advance
        Called with the variant's name after each network.

    Raises
    ------
    ContractError
        Cohort or parameters are not those of the version, or it was pre-trained.
    """
    manifest = bundle.manifest
    if cohort.digest != manifest.data_digest:
        raise ContractError(
            f"--cohort is not the cohort that the version was trained on"
            f" ({manifest.cohort_name!r}), so the variants would be compared on other subjects",
            "give the cohort that the version was trained on",
        )
    if config.digest != manifest.config_digest:
        raise ContractError(
            "the parameters are not those that the version was trained with",
            "give the same --config",
        )
    if manifest.pretrained_on:
        raise ContractError(
            f"the version was pre-trained on {manifest.pretrained_on}, and the variants would not"
            " be",
            "compare variants of a version that was trained without --pretrain-on",
        )
    parts = training_parts(cohort, bundle.task, config)
    batch = parts.train
    fold_of = fold_of_subjects(batch.subject_B, config.folds, 0.0, seed=config.seed)
    tables = {}
    for name, parameters in configurations(config).items():
        with TemporaryDirectory() as folder:
            fitted = crossfit(
                batch,
                bundle.task,
                parameters,
                folder=Path(folder),
                tuning=parts.tuning,
                advance=lambda name=name: advance(name),  # type: ignore[misc]
            )
        table = prediction_table(
            batch,
            fitted.out_of_fold_BHQ,
            bundle.task,
            model=CANDIDATE,
            stated=fitted.out_of_fold_chances,
        )
        tables[name] = table.assign(**{FOLD: table[SUBJECT].map(fold_of)})
    return tables
