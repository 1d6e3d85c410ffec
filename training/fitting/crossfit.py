"""Cross-fitting: every subject is forecast by a network that was trained without them.

The folds' networks together are the registered model, so the audit judges the networks that are
served, each on subjects it was trained without. Letters: B pairs, H horizons, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.calibration import Calibration, calibrate, learn_calibration
from training.fitting.config import TrainingConfig
from training.fitting.network_fit import Weights, fit_network, forward
from training.models import Fit, Predict
from training.models.layers.network import Network
from training.split import fold_of_rows, fold_of_subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossFit:
    """Result of a cross-fit.

    Parameters
    ----------
    members
        One network per fold.
    calibration
        Conformal offsets from all out-of-fold forecasts, for new subjects.
    out_of_fold_BHQ
        Calibrated forecasts of the training pairs, each by the network that was trained without the
        subject, with offsets from the outcomes of other folds. (The networks of those folds were
        trained with the subject; as in cross-conformal prediction, Vovk 2015, this affects only the
        width.)
    """

    members: tuple[Network, ...]
    calibration: Calibration
    out_of_fold_BHQ: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldFit:
    """The fit of one fold's network; see `training.fitting.network_fit.fit_network`."""

    train: SequenceBatch
    task: Task
    config: TrainingConfig
    seed: int
    folder: Path
    start: Weights | None
    tuning: SequenceBatch | None = None

    def run(self) -> Network:
        """Fit the network, resume its fit, or read it if it was finished before."""
        return fit_network(
            self.train,
            self.task,
            self.config,
            seed=self.seed,
            folder=self.folder,
            start=self.start,
            tuning=self.tuning,
        )


FitFolds = Callable[[Sequence[FoldFit]], Iterator[Network]]
"""Fits networks and yields them in order."""


def fit_sequentially(folds: Sequence[FoldFit]) -> Iterator[Network]:
    """Fit the networks in this process."""
    return (fold.run() for fold in folds)


def crossfit(
    batch: SequenceBatch,
    task: Task,
    config: TrainingConfig,
    *,
    folder: Path,
    start: Weights | None = None,
    tuning: SequenceBatch | None = None,
    fit_folds: FitFolds = fit_sequentially,
    advance: Callable[[], None] = lambda: None,
) -> CrossFit:
    """Fit one network per fold, from `start` if given; `advance` is called after each.

    Parameters
    ----------
    tuning
        Pairs of people in no fold, by whom every network's fit is stopped early
        (`training.fitting.network_fit.fit_network`).
    fit_folds
        Fits the networks: in this process, or on a cluster (`training.fitting.ray_cluster`).
    """
    fold_of = fold_of_subjects(batch.subject_B, config.folds, 0.0, seed=config.seed)
    fold_B = fold_of_rows(batch.subject_B, fold_of)
    folds = [
        FoldFit(
            train=batch.take(fold_B != fold),
            task=task,
            config=config,
            seed=config.seed * 1_000 + fold,
            folder=(folder / f"fold-{fold}").resolve(),
            start=start,
            tuning=tuning,
        )
        for fold in range(config.folds)
    ]
    members = []
    raw_BHQ = np.empty((*batch.truth_BH.shape, 0))
    for fold, network in enumerate(fit_folds(folds)):
        members.append(network)
        unseen_BHQ = forward(network, batch.take(fold_B == fold))
        if fold == 0:
            raw_BHQ = np.empty((len(batch), *unseen_BHQ.shape[1:]))
        raw_BHQ[fold_B == fold] = unseen_BHQ
        advance()
    return CrossFit(
        members=tuple(members),
        calibration=learn_calibration(batch.truth_BH, raw_BHQ, batch.groups_B),
        out_of_fold_BHQ=_calibrated_out_of_fold(batch, raw_BHQ, fold_B, task),
    )


def ensemble_quantiles(batch: SequenceBatch, task: Task, fitted: CrossFit) -> NDArray[np.float64]:
    """Forecast new subjects with the mean of the members, calibrated, (B, H, Q)."""
    mean_BHQ = np.mean([forward(member, batch) for member in fitted.members], axis=0)
    offsets_BHQ = fitted.calibration.offsets(batch.groups_B)
    return calibrate(mean_BHQ, offsets_BHQ, task.target.low, task.target.high)


def network_family(config: TrainingConfig, start: Weights | None = None) -> Fit:
    """Return the network as a family of the benchmark: cross-fitted, averaged, calibrated."""

    def fit(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
        with TemporaryDirectory() as folder:
            fitted = crossfit(
                train, task, replace(config, seed=seed), folder=Path(folder), start=start
            )

        return lambda batch: ensemble_quantiles(batch, task, fitted)

    return fit


def _calibrated_out_of_fold(
    batch: SequenceBatch, raw_BHQ: NDArray[np.float64], fold_B: NDArray[np.int64], task: Task
) -> NDArray[np.float64]:
    calibrated_BHQ = np.empty_like(raw_BHQ)
    for fold in np.unique(fold_B):
        inside_B, outside_B = fold_B == fold, fold_B != fold
        calibration = learn_calibration(
            batch.truth_BH[outside_B], raw_BHQ[outside_B], batch.groups_B[outside_B]
        )
        offsets_BHQ = calibration.offsets(batch.groups_B[inside_B])
        calibrated_BHQ[inside_B] = calibrate(
            raw_BHQ[inside_B], offsets_BHQ, task.target.low, task.target.high
        )
    return calibrated_BHQ
