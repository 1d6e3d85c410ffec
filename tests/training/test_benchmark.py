from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.benchmark import benchmark
from training.evaluate import scores_by_horizon
from training.models import Predict
from training.models.rules import last_observation, proportional_recovery
from training.predictions import prediction_table


def oracle(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Knows every outcome: what no honest model can beat."""
    return lambda batch: np.repeat(np.nan_to_num(batch.truth_BH)[..., None], 19, axis=-1)


def test_a_better_family_is_told_apart_from_a_worse_one(batch: SequenceBatch, task: Task) -> None:
    steps: Counter[str] = Counter()
    result = benchmark(
        batch,
        task,
        {"oracle": oracle, "last observation": last_observation},
        repeats=2,
        folds=3,
        advance=lambda name: steps.update([name]),
    )
    assert steps == {"oracle": 6, "last observation": 6}
    for row in result.rows:
        if row.model == "oracle":
            assert row.mae == row.crps == 0
            assert row.mae_difference is None
        else:
            assert row.mae_difference is not None
            assert row.mae_difference.high < 0
            assert row.mae_difference.mean == pytest.approx(-row.mae)


def test_every_family_is_scored_on_the_same_people(batch: SequenceBatch, task: Task) -> None:
    competing = {"a": last_observation, "b": proportional_recovery}
    result = benchmark(batch, task, competing, repeats=1, folds=3)
    counts = {(row.population, row.weeks, row.subjects) for row in result.rows}
    assert len(result.rows) == 2 * len(counts)
    first = batch.take(batch.origin_day_B == 0)
    observed = (~np.isnan(first.truth_BH[:, 3])).sum()
    assert ("all", 12, observed) in counts


def test_an_evaluation_counts_people_and_gives_the_direction_of_the_bias(
    batch: SequenceBatch, task: Task
) -> None:
    too_high = np.repeat((np.nan_to_num(batch.truth_BH) + 3.0)[..., None], 19, axis=-1)
    table = prediction_table(batch, too_high, task, model="candidate")
    for score in scores_by_horizon(table):
        assert score.bias == pytest.approx(3.0)
        assert score.mae == pytest.approx(3.0)
        assert score.coverage_80 == 0.0
        assert score.subjects <= score.outcomes
