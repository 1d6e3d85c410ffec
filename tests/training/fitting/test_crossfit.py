from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from contracts.bundle import FORECASTS, WEIGHTS, Joined, Judging
from contracts.errors import ContractError
from contracts.forecast import MEDIAN
from contracts.predictions import CHANCE, GROUP, QUANTILE_COLUMNS, REACHED, TRUTH
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.calibration import learn_calibration
from training.fitting import joining
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import (
    CrossFit,
    FoldFit,
    crossfit,
    ensemble_quantiles,
    fit_sequentially,
    network_family,
    networks_of,
)
from training.fitting.joining import averaged
from training.fitting.network_fit import forward
from training.models.bedside_rules import last_observation
from training.models.layers.network import Network
from training.models.stack import out_of_fold
from training.predictions import prediction_table
from training.split import fold_of_rows, fold_of_subjects

QUICK = TrainingConfig(max_epochs=2, folds=3, hidden=4)


@pytest.fixture(scope="module")
def fitted(batch: SequenceBatch, task: Task, tmp_path_factory: pytest.TempPathFactory) -> CrossFit:
    return crossfit(batch, task, QUICK, folder=tmp_path_factory.mktemp("folds"))


def test_every_subject_is_forecast_by_a_network_that_was_trained_without_them(
    batch: SequenceBatch, task: Task, fitted: CrossFit, tmp_path: Path
) -> None:
    """Change one subject's outcomes: forecasts that learned from them change, their own do not."""
    subject = batch.subject_B[0]
    own_B = batch.subject_B == subject
    changed = replace(batch, truth_BH=np.where(own_B[:, None], 66 - batch.truth_BH, batch.truth_BH))
    again = crossfit(changed, task, QUICK, folder=tmp_path)
    fold_of = fold_of_subjects(batch.subject_B, QUICK.folds, 0.0, seed=QUICK.seed)
    same_fold = np.array([fold_of[int(s)] == fold_of[int(subject)] for s in batch.subject_B])
    # The median, because calibration does not change it.
    np.testing.assert_array_equal(
        again.out_of_fold_BHQ[own_B, :, MEDIAN],
        fitted.out_of_fold_BHQ[own_B, :, MEDIAN],
        "a network was trained with the outcome that it forecasts",
    )
    assert not np.array_equal(again.out_of_fold_BHQ[~same_fold], fitted.out_of_fold_BHQ[~same_fold])


@pytest.mark.parametrize(
    ("folds", "joined"),
    [
        (3, WEIGHTS),
        (4, FORECASTS),
        pytest.param(3, FORECASTS, marks=pytest.mark.soak),
        pytest.param(4, WEIGHTS, marks=pytest.mark.soak),
    ],
)
def test_what_is_judged_is_joined_like_what_is_served_from_those_who_never_saw_the_person(
    batch: SequenceBatch,
    task: Task,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folds: int,
    joined: Joined,
) -> None:
    """Every network judged is in what is served, and every one in what is served is judged."""
    monkeypatch.setattr(joining, "ACCEPTED_LOSS", np.inf if joined == WEIGHTS else -1)
    config = replace(QUICK, folds=folds)
    fits: list[Network] = []

    def fit_folds(asked: Sequence[FoldFit]) -> Iterator[Network]:
        fits.extend(fit_sequentially(asked))
        return iter(fits)

    result = crossfit(batch, task, config, folder=tmp_path, fit_folds=fit_folds)
    assert len(fits) == networks_of(config) == folds * (folds - 1) // 2
    assert result.judging == Judging(
        folds=folds, members=len(fits), members_unseen=folds - 1, joined=joined
    )
    assert len(result.served) == (1 if joined == WEIGHTS else len(fits))
    fold_of = fold_of_subjects(batch.subject_B, folds, 0.0, seed=QUICK.seed)
    fold_B = fold_of_rows(batch.subject_B, fold_of)
    pairs = list(combinations(range(folds), 2))
    for fold in range(folds):
        own = batch.take(fold_B == fold)
        unseen = [m for m, pair in zip(fits, pairs, strict=True) if fold in pair]
        parts = [averaged(unseen)] if joined == WEIGHTS else unseen
        np.testing.assert_allclose(
            result.out_of_fold_BHQ[fold_B == fold][..., MEDIAN],
            np.mean([forward(network, own) for network in parts], axis=0)[..., MEDIAN],
            atol=1e-5,
        )
    served = [averaged(fits)] if joined == WEIGHTS else fits
    np.testing.assert_allclose(
        ensemble_quantiles(batch, task, result)[..., MEDIAN],
        np.mean([forward(network, batch) for network in served], axis=0)[..., MEDIAN],
        atol=1e-5,
    )


def test_the_calibration_served_is_that_of_what_was_judged(
    batch: SequenceBatch, task: Task, fitted: CrossFit
) -> None:
    """Offsets of single networks, which scatter more, would make the served intervals too wide."""
    expected = learn_calibration(fitted.uncalibrated_BHQ, batch, batch, task).offsets
    np.testing.assert_array_equal(fitted.calibration.offsets.offsets_HQ, expected.offsets_HQ)


def test_two_folds_leave_nobody_to_train_on() -> None:
    with pytest.raises(ContractError, match="2 folds") as refused:
        replace(QUICK, folds=2)
    assert "3 or more" in refused.value.what_to_do


def test_the_ensemble_forecast_is_calibrated_rising_and_on_the_scale(
    batch: SequenceBatch, task: Task, fitted: CrossFit
) -> None:
    quantiles_BHQ = ensemble_quantiles(batch, task, fitted)
    assert (np.diff(quantiles_BHQ, axis=-1) >= 0).all()
    assert quantiles_BHQ.min() >= 0
    assert quantiles_BHQ.max() <= 66


def test_the_network_is_a_family_like_the_others(batch: SequenceBatch, task: Task) -> None:
    quantiles_BHQ = network_family(QUICK)(batch, task, seed=4)(batch.take(np.arange(5)))
    assert quantiles_BHQ.shape == (5, 6, 19)


def test_a_prediction_table_has_a_row_for_each_observed_outcome_and_only_those(
    batch: SequenceBatch, task: Task
) -> None:
    quantiles_BHQ = out_of_fold(last_observation, batch, task, QUICK.folds, seed=QUICK.seed)
    table = prediction_table(batch, quantiles_BHQ, task, model="last observation")
    assert len(table) == (~np.isnan(batch.truth_BH)).sum()
    assert table[TRUTH].notna().all()
    assert not table.duplicated(["subject_id", "origin_day", "horizon_day"]).any()
    assert (table["horizon_day"] > table["origin_day"]).all()
    assert table[list(QUANTILE_COLUMNS)].notna().all(axis=None)
    assert {GROUP + attribute.name for attribute in task.sensitive} <= set(table.columns)
    for milestone in task.milestones:
        assert table[CHANCE + milestone.name].between(0, 1).all()
        assert table[REACHED + milestone.name].dtype == bool
