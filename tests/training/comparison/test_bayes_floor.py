"""No model may beat the floor: the check raises an error if one does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contracts import predictions as columns
from contracts.errors import ContractError, IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.floor import bayes_floor
from features.simulate.scenario import Scenario
from training.comparison.bayes_floor import check_floor, compare_with_floor, floor_scores
from training.models.bedside_rules import last_observation
from training.models.boosted import boosted_quantiles
from training.predictions import prediction_table
from training.scores import skill

TRAINED, HELD_OUT = 400, 70


@pytest.fixture(scope="module")
def landmark(task: Task) -> Task:
    late = tuple(horizon for horizon in task.horizons if horizon.weeks in {12, 26})
    return task.model_copy(update={"origins_days": (14,), "horizons": late})


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    return simulate(subjects=TRAINED + HELD_OUT, seed=8)[0]


@pytest.fixture(scope="module")
def batch(events: pd.DataFrame, landmark: Task) -> SequenceBatch:
    return training_sequences(events, landmark)


@pytest.fixture(scope="module")
def floor(batch: SequenceBatch, events: pd.DataFrame, landmark: Task) -> pd.DataFrame:
    unseen = batch.take(batch.subject_B > TRAINED)
    return bayes_floor(unseen, events, landmark, Scenario(), seed=0)


def table_of(quantiles: np.ndarray, unseen: SequenceBatch, task: Task) -> pd.DataFrame:
    return prediction_table(unseen, quantiles, task, model="x")


@pytest.mark.soak
def test_honest_models_stay_above_the_floor_and_the_better_one_is_nearer(
    batch: SequenceBatch, floor: pd.DataFrame, landmark: Task
) -> None:
    train, unseen = batch.take(batch.subject_B <= TRAINED), batch.take(batch.subject_B > TRAINED)
    comparisons = {
        fit: compare_with_floor(
            table_of(fit(train, landmark, seed=0)(unseen), unseen, landmark), floor
        )
        for fit in (last_observation, boosted_quantiles)
    }
    base = comparisons[last_observation].model_crps
    assert not any(comparison.is_impossible for comparison in comparisons.values())
    boosted = comparisons[boosted_quantiles]
    assert 0.3 < skill(boosted.model_crps, base=base, floor=boosted.floor_crps) < 1
    assert boosted.subjects > 100


def test_a_model_that_has_seen_the_outcome_is_refused(
    batch: SequenceBatch, floor: pd.DataFrame, landmark: Task
) -> None:
    unseen = batch.take(batch.subject_B > TRAINED)
    peek = np.repeat(np.nan_to_num(unseen.truth_BH)[:, :, None], len(columns.QUANTILE_COLUMNS), 2)
    blurred = peek + np.linspace(-4, 4, peek.shape[2])
    leaking = table_of(blurred, unseen, landmark)
    assert compare_with_floor(leaking, floor).is_impossible
    with pytest.raises(IntegrityError, match="leak: x has CRPS"):
        check_floor(leaking, floor)
    # A dozen subjects are too few to conclude anything.
    check_floor(leaking[leaking["subject_id"] <= TRAINED + 12], floor)


def test_the_floor_itself_is_not_refused(
    batch: SequenceBatch, floor: pd.DataFrame, landmark: Task
) -> None:
    unseen = batch.take(batch.subject_B > TRAINED)
    table = table_of(np.zeros((len(unseen), len(landmark.horizons), 19)), unseen, landmark)
    keys = [columns.SUBJECT, columns.ORIGIN, columns.HORIZON]
    names = list(columns.QUANTILE_COLUMNS)
    table[names] = table[keys].merge(floor, on=keys)[names].to_numpy()
    same = compare_with_floor(table, floor)
    assert same.excess == 0
    assert not same.is_impossible


def test_a_forecast_without_a_floor_is_an_error(
    batch: SequenceBatch, floor: pd.DataFrame, landmark: Task
) -> None:
    everyone = table_of(np.zeros((len(batch), len(landmark.horizons), 19)), batch, landmark)
    with pytest.raises(ContractError, match="have no floor"):
        compare_with_floor(everyone, floor)


def test_the_floor_is_scored_by_origin_and_horizon(
    batch: SequenceBatch, floor: pd.DataFrame, landmark: Task
) -> None:
    rows = floor_scores(floor, batch, landmark)
    assert set(rows["origin day"]) == {14}
    assert (rows["MAE"] < rows["MAE of no change"]).all()
    assert (rows["CRPS"] < rows["MAE"]).all()
