from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from contracts.forecast import QUANTILE_LEVELS
from contracts.task import Milestone, Task
from training.milestones import chances, reached


def at(task: Task, threshold: float) -> Task:
    return task.model_copy(
        update={"milestones": (Milestone(name="m", at_least=threshold, source="test"),)}
    )


def chance(task: Task, quantiles: np.ndarray, threshold: float) -> float:
    last_B = np.array([20.0], dtype=np.float32)
    return float(chances(quantiles[None, None], last_B, at(task, threshold))["m"][0, 0])


def test_the_chance_of_reaching_a_quantile_is_one_minus_its_level(task: Task) -> None:
    quantiles = 30 + 5 * norm.ppf(QUANTILE_LEVELS)
    for level, quantile in zip(QUANTILE_LEVELS, quantiles, strict=True):
        assert chance(task, quantiles, float(quantile)) == pytest.approx(1 - level)


def test_a_certain_forecast_gives_certain_answers(task: Task) -> None:
    sure = np.full(len(QUANTILE_LEVELS), 40.0)
    assert chance(task, sure, 0.0) == 1.0
    assert chance(task, sure, 41.0) < 0.051
    assert chance(task, sure, 39.0) > 0.949


def test_a_gain_beyond_the_end_of_the_scale_is_out_of_reach(task: Task) -> None:
    last_B = np.array([64.0], dtype=np.float32)
    quantiles = np.linspace(60, 66, len(QUANTILE_LEVELS))[None, None]
    assert chances(quantiles, last_B, task)["important gain"][0, 0] == 0.0


@given(st.floats(0, 60), st.floats(0, 6), st.integers(0, 2**32 - 1))
def test_a_harder_milestone_is_never_more_likely(
    task: Task, easy: float, harder: float, seed: int
) -> None:
    quantiles = np.sort(np.random.default_rng(seed).uniform(0, 66, len(QUANTILE_LEVELS)))
    low, high = chance(task, quantiles, easy + harder), chance(task, quantiles, easy)
    assert 0 <= low <= high + 1e-12 <= 1 + 1e-12


def test_a_gain_counts_from_the_last_score(task: Task) -> None:
    truth_BH = np.array([[24.0, 24.25, np.nan]], dtype=np.float32)
    was = reached(truth_BH, np.array([20.0], dtype=np.float32), task)["important gain"]
    np.testing.assert_array_equal(was, [[False, True, True]])


def test_a_milestone_once_reached_counts_as_reached(task: Task) -> None:
    truth_BH = np.array([[40.0, 52.0, np.nan, 47.0]], dtype=np.float32)
    was = reached(truth_BH, np.array([30.0], dtype=np.float32), at(task, 50.0))["m"]
    np.testing.assert_array_equal(was, [[False, True, True, True]])


@given(st.integers(0, 2**32 - 1), st.floats(0, 66))
def test_the_chance_of_a_milestone_never_falls_with_time_nor_below_a_horizons_own(
    task: Task, seed: int, threshold: float
) -> None:
    draws = np.random.default_rng(seed).uniform(0, 66, (1, 5, len(QUANTILE_LEVELS)))
    quantiles = np.sort(draws, axis=-1)
    last_B = np.array([20.0], dtype=np.float32)
    by = chances(quantiles, last_B, at(task, threshold))["m"]
    assert (np.diff(by) >= -1e-9).all()
    assert by.max() <= 1 + 1e-9
    for h in range(5):
        own = chances(quantiles[:, [h]], last_B, at(task, threshold))["m"]
        assert by[0, h] >= own[0, 0] - 1e-9
