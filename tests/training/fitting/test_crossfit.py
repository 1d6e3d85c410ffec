from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.forecast import MEDIAN
from contracts.predictions import CHANCE, GROUP, QUANTILE_COLUMNS, REACHED, TRUTH
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import CrossFit, crossfit, ensemble_quantiles, network_family
from training.models.bedside_rules import last_observation
from training.models.stack import out_of_fold
from training.predictions import prediction_table
from training.split import fold_of_subjects

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


def test_there_is_one_member_a_fold_and_steps_are_reported(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    seen: list[int] = []
    result = crossfit(batch, task, QUICK, folder=tmp_path, advance=lambda: seen.append(1))
    assert len(result.members) == len(seen) == QUICK.folds


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
