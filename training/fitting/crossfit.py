"""Cross-fitting in pairs of folds: each subject is judged by served networks that never saw them.

One network is trained without each two folds. Joined (`training.fitting.joining`) they are the
registered model. Without fold i are the networks of all pairs with i in them: joined in the same
way, they are what the subjects of fold i are judged by, so an audit judges what the service gives,
and not single networks, which are less accurate. Letters: B pairs of subject and origin, H
horizons, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from contracts.bundle import Joined, Judging
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.calibration import Calibration, learn_calibration
from inference.similar import given_by_others
from inference.widening import share_by_people
from training.fitting.config import TrainingConfig
from training.fitting.joining import best_joined, join, raw_quantiles, variance_by_people
from training.fitting.network_fit import Weights, fit_network, learning_curve
from training.models import Fit, Predict
from training.models.layers.network import Network
from training.split import fold_of_rows, fold_of_subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossFit:
    """Result of a cross-fit.

    Parameters
    ----------
    served
        The networks whose mean forecast is served: those of each two folds, trained without both,
        or one with the mean of their weights.
    calibration
        From all out-of-fold forecasts before calibration, for new subjects.
    out_of_fold_BHQ
        Calibrated forecasts of the training pairs, each by the joined networks that were trained
        without the subject, calibrated on the outcomes of other folds. (Some networks that
        forecast those outcomes were trained with the subject; as in cross-conformal prediction,
        Vovk 2015, this affects only the width.)
    uncalibrated_BHQ
        The same before calibration.
    out_of_fold_chances
        Their chances of the milestones by the assessments that took place, (B, H) by name.
    out_of_fold_given_BH
        Which of them a service would give that had seen everybody else.
    by_people_BH
        How far each median would vary if other people had been learned from, score points squared.
    by_people_H
        Which share of a forecast's variance that is.
    judging
        How many networks made each of them, and how they were joined.
    curves
        The losses of each epoch (`training.fitting.network_fit.learning_curve`), by network.
    """

    served: tuple[Network, ...]
    calibration: Calibration
    out_of_fold_BHQ: NDArray[np.float64]
    uncalibrated_BHQ: NDArray[np.float64]
    out_of_fold_chances: dict[str, NDArray[np.float64]]
    out_of_fold_given_BH: NDArray[np.bool_]
    by_people_BH: NDArray[np.float64]
    by_people_H: NDArray[np.float64]
    judging: Judging
    curves: Mapping[str, list[dict[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldFit:
    """The fit of one network; see `training.fitting.network_fit.fit_network`."""

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
    records: SequenceBatch | None = None,
    start: Weights | None = None,
    tuning: SequenceBatch | None = None,
    fit_folds: FitFolds = fit_sequentially,
    advance: Callable[[], None] = lambda: None,
) -> CrossFit:
    """Fit one network for each two folds, from `start` if given; `advance` is called after each.

    Parameters
    ----------
    records
        The people of the batch on all of their days (`features.newest.days_with_score`), to count
        who is alike; None: on those of the batch.
    tuning
        Pairs of people in no fold, by whom every network's fit is stopped early
        (`training.fitting.network_fit.fit_network`).
    fit_folds
        Fits the networks: in this process, or on a cluster (`training.fitting.ray_cluster`).
    """
    fold_of = fold_of_subjects(batch.subject_B, config.folds, 0.0, seed=config.seed)
    fold_B = fold_of_rows(batch.subject_B, fold_of)
    without = _without(config)
    fits = [
        FoldFit(
            train=batch.take(~np.isin(fold_B, folds)),
            task=task,
            config=config,
            seed=config.seed * 1_000 + number,
            folder=(folder / f"without-{folds[0]}-{folds[1]}").resolve(),
            start=start,
            tuning=tuning,
        )
        for number, folds in enumerate(without)
    ]
    members = []
    for network in fit_folds(fits):
        members.append(network)
        advance()
    unseen = {
        fold: [m for m, folds in zip(members, without, strict=True) if fold in folds]
        for fold in range(config.folds)
    }
    joined, raw_BHQ = best_joined(unseen, fold_B, batch, task)
    records = batch if records is None else records
    out_of_fold_BHQ, out_of_fold_chances = _out_of_fold(batch, records, raw_BHQ, fold_of, task)
    given_BH = given_by_others(records, batch, task)
    by_people_BH = variance_by_people(unseen, fold_B, batch)
    return CrossFit(
        served=join(members, joined),
        calibration=learn_calibration(raw_BHQ, batch, records, task),
        out_of_fold_BHQ=out_of_fold_BHQ,
        uncalibrated_BHQ=raw_BHQ,
        out_of_fold_chances=out_of_fold_chances,
        out_of_fold_given_BH=given_BH,
        by_people_BH=by_people_BH,
        by_people_H=share_by_people(by_people_BH, out_of_fold_BHQ, given_BH),
        judging=judging_of(config, joined),
        curves={
            f"without folds {first} and {second}": learning_curve(fit.folder)
            for fit, (first, second) in zip(fits, without, strict=True)
        },
    )


def judging_of(config: TrainingConfig, joined: Joined) -> Judging:
    """Return how the forecasts are made that an audit judges a cross-fit by."""
    return Judging(
        folds=config.folds,
        members=networks_of(config),
        members_unseen=config.folds - 1,
        joined=joined,
    )


def networks_of(config: TrainingConfig) -> int:
    """Return how many networks a cross-fit trains."""
    return len(_without(config))


def ensemble_quantiles(batch: SequenceBatch, task: Task, fitted: CrossFit) -> NDArray[np.float64]:
    """Forecast new subjects with what is served, calibrated, (B, H, Q)."""
    return fitted.calibration.quantiles(raw_quantiles(fitted.served, batch, task), batch, task)


def network_family(config: TrainingConfig, start: Weights | None = None) -> Fit:
    """Return the network as a family of the benchmark: cross-fitted, averaged, calibrated."""

    def fit(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
        with TemporaryDirectory() as folder:
            fitted = crossfit(
                train, task, replace(config, seed=seed), folder=Path(folder), start=start
            )

        return lambda batch: ensemble_quantiles(batch, task, fitted)

    return fit


def _without(config: TrainingConfig) -> list[tuple[int, int]]:
    """Return which folds each network is trained without, in their order."""
    return list(combinations(range(config.folds), 2))


def _out_of_fold(
    batch: SequenceBatch,
    records: SequenceBatch,
    raw_BHQ: NDArray[np.float64],
    fold_of: dict[int, int],
    task: Task,
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Calibrate each fold and state its chances, by what the others tell."""
    calibrated_BHQ = np.empty_like(raw_BHQ)
    chances = {milestone.name: np.empty(batch.truth_BH.shape) for milestone in task.milestones}
    fold_B = fold_of_rows(batch.subject_B, fold_of)
    record_fold_B = fold_of_rows(records.subject_B, fold_of)
    for fold in np.unique(fold_B):
        inside_B = fold_B == fold
        own = batch.take(inside_B)
        calibration = learn_calibration(
            raw_BHQ[~inside_B],
            batch.take(~inside_B),
            records.take(record_fold_B != fold),
            task,
        )
        quantiles_BHQ = calibration.quantiles(raw_BHQ[inside_B], own, task)
        calibrated_BHQ[inside_B] = quantiles_BHQ
        stated = calibration.chances(quantiles_BHQ, own, task, observed=True)
        for name, chance_BH in stated.items():
            chances[name][inside_B] = chance_BH
    return calibrated_BHQ, chances
