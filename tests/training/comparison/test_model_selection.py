from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.comparison.benchmark import config_of
from training.comparison.leaderboard import REPEAT
from training.comparison.model_selection import (
    better_but_not_servable,
    rank_families,
    select_candidate,
)
from training.fitting.config import TrainingConfig
from training.predictions import prediction_table
from training.scores import with_losses


@pytest.fixture
def scored(batch: SequenceBatch, task: Task) -> pd.DataFrame:
    """Return forecasts of four families, each off by a fixed number of points."""
    truth_BHQ = np.repeat(np.nan_to_num(batch.truth_BH)[..., None], 19, axis=-1).astype(np.float64)
    off = {"hybrid": 4.0, "GRU-D": 3.0, "boosted quantiles": 1.0, "last observation": 9.0}
    tables = [
        prediction_table(batch, truth_BHQ + points, task, model=name)
        for name, points in off.items()
    ]
    return with_losses(pd.concat(tables, ignore_index=True)).assign(**{REPEAT: 0})


def test_the_candidate_is_the_best_of_those_that_can_be_served(scored: pd.DataFrame) -> None:
    ranked = rank_families(scored, ["hybrid", "last observation", "GRU-D", "boosted quantiles"])
    assert [family.model for family in ranked] == [
        "boosted quantiles", "GRU-D", "hybrid", "last observation",
    ]  # fmt: skip
    assert select_candidate(ranked) == "GRU-D"
    assert better_but_not_servable(ranked) == ("boosted quantiles",)
    by_name = {family.model: family for family in ranked}
    assert by_name["GRU-D"].difference is None
    hybrid = by_name["hybrid"].difference
    assert hybrid is not None
    assert hybrid.mean == pytest.approx(by_name["GRU-D"].crps - by_name["hybrid"].crps)


def test_without_a_family_that_can_be_served_there_is_no_candidate(scored: pd.DataFrame) -> None:
    ranked = rank_families(scored, ["last observation", "boosted quantiles"])
    assert select_candidate(ranked) is None
    assert better_but_not_servable(ranked) == ()


def test_a_candidate_is_trained_with_the_parameters_of_the_benchmark() -> None:
    config = TrainingConfig(seed=4, folds=3)
    assert config_of("hybrid", config) == config_of("hybrid, pre-trained", config) == config
    other = config_of("GRU-D", config)
    assert (other.architecture, other.seed, other.folds) == ("GRU-D", 4, 3)
    assert other.learning_rate != config.learning_rate
