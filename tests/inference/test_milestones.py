from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from contracts.forecast import QUANTILE_LEVELS
from contracts.task import Milestone, Task
from inference import milestones
from inference.milestones import reached_today, usual_visits

chances = partial(milestones.chances, assessed_B=None)
reached = partial(milestones.reached, assessed_B=None)
"""Of people whose last score was observed, unless it says otherwise."""


def at(task: Task, threshold: float) -> Task:
    """The task with one milestone, on a scale where any number can be a score."""
    target = task.target.model_copy(update={"step": 0.0})
    milestone = Milestone(name="m", at_least=threshold, source="test")
    return task.model_copy(update={"target": target, "milestones": (milestone,)})


LOW_B = np.array([0.0], dtype=np.float32)
"""A last score that reaches nothing yet."""


def lower_is_better(task: Task) -> Task:
    """The same task on the scale turned round: what was 50 or more is now 16 or less."""
    high = task.target.high
    milestones = tuple(
        each if each.at_least is None
        else each.model_copy(update={"at_least": None, "at_most": high - each.at_least})
        for each in task.milestones
    )  # fmt: skip
    target = task.target.model_copy(update={"better": "lower"})
    return task.model_copy(update={"target": target, "milestones": milestones})


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


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 3.0]))
def test_where_lower_is_better_a_fall_is_the_gain(task: Task, seed: int, step: float) -> None:
    """A patient and a forecast turned round have the chances, and reach, what they did before."""
    generator = np.random.default_rng(seed)
    task = task.model_copy(update={"target": task.target.model_copy(update={"step": step})})
    turned, high = lower_is_better(task), task.target.high
    quantiles = np.sort(generator.uniform(0, 66, (2, 4, len(QUANTILE_LEVELS))), axis=-1)
    last_B = generator.integers(0, 67, 2).astype(np.float32)
    truth_BH = generator.integers(0, 67, (2, 4)).astype(np.float32)
    truth_BH[generator.random((2, 4)) < 0.3] = np.nan
    upright = chances(quantiles, last_B, task)
    falling = chances(high - quantiles[..., ::-1], high - last_B, turned)
    was, fell = reached(truth_BH, last_B, task), reached(high - truth_BH, high - last_B, turned)
    for name in upright:
        np.testing.assert_allclose(falling[name], upright[name], atol=1e-6)
        np.testing.assert_array_equal(fell[name], was[name])


def test_the_best_of_two_scores_has_the_chance_that_the_forecast_gives_it(task: Task) -> None:
    """Read at 1 itself, a forecast of "yes, probably" would say "hardly ever"."""
    target = task.target.model_copy(update={"high": 1.0, "step": 1.0})
    alive = Milestone(name="m", at_least=1, source="test")
    task = task.model_copy(update={"target": target, "milestones": (alive,)})
    # Eight levels of 19 lie near 0, the others near 1, none quite there.
    quantiles = np.where(np.arange(19) < 8, 0.02, 0.98)[None, None]
    chance = chances(quantiles, LOW_B, task)["m"][0, 0]
    assert chance == pytest.approx(1 - 0.425, abs=0.001)


def test_a_gain_is_rounded_up_to_the_next_score_there_is(task: Task) -> None:
    """4.25 points from 20 are 25 in whole points: the forecast is read between 24 and 25."""
    last_B = np.array([20.0], dtype=np.float32)
    for certain, chance_is in ((24.4, 0.0), (24.6, 1.0)):
        quantiles = np.full((1, 1, 19), certain)
        chance = chances(quantiles, last_B, task)["important gain"][0, 0]
        assert chance == pytest.approx(chance_is, abs=0.051)


def test_a_score_in_hundredths_is_reached_in_single_precision(task: Task) -> None:
    target = task.target.model_copy(update={"high": 3.0, "step": 0.01})
    task = at(task, 0.8).model_copy(update={"target": target})
    truth_BH = np.array([[0.79, 0.80]], dtype=np.float32)
    was = reached(truth_BH, np.array([0.3], dtype=np.float32), task)["m"]
    np.testing.assert_array_equal(was, [[False, True]])


@given(st.floats(21, 65), st.floats(0.0, 0.95), st.integers(2, 6))
def test_several_visits_reach_it_as_often_as_their_scores_drawn_together(
    task: Task, threshold: float, correlation: float, visits: int
) -> None:
    """The closed form is held against scores drawn from the same joint distribution."""
    mean_H = np.linspace(25, 45, visits)
    quantiles = (mean_H[:, None] + 8 * norm.ppf(QUANTILE_LEVELS))[None]
    joint = replace(usual_visits(at(task, threshold)), correlation=correlation)
    told = chances(quantiles, LOW_B, at(task, threshold), joint)["m"][0]
    generator = np.random.default_rng(0)
    shared, own = generator.normal(size=(20_000, 1)), generator.normal(size=(20_000, visits))
    z = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    came = (np.maximum.accumulate(mean_H + 8 * z, axis=1) >= threshold).mean(axis=0)
    # Between the outer levels; beyond them the forecast is uniform and the draws are not.
    single = norm.cdf((threshold - mean_H) / 8)
    if single.min() >= 0.05 and single.max() <= 0.95:
        np.testing.assert_allclose(told, came, atol=0.02)


def test_independent_visits_multiply_and_identical_ones_are_one(task: Task) -> None:
    quantiles = np.tile(30 + 5 * norm.ppf(QUANTILE_LEVELS), (1, 3, 1))
    joint = usual_visits(at(task, 30.0))
    by = [
        chances(quantiles, LOW_B, at(task, 30.0), replace(joint, correlation=c))["m"][0]
        for c in (0.0, 1 - 1e-9)
    ]
    np.testing.assert_allclose(by[0], [0.5, 0.75, 0.875], atol=1e-6)
    np.testing.assert_allclose(by[1], [0.5, 0.5, 0.5], atol=0.05)


def test_an_assessment_that_is_not_counted_reaches_nothing(task: Task) -> None:
    quantiles = np.tile(30 + 5 * norm.ppf(QUANTILE_LEVELS), (1, 3, 1))
    counted_BH = np.array([[False, True, False]])
    by = chances(quantiles, LOW_B, at(task, 30.0), counted_BH=counted_BH)["m"][0]
    np.testing.assert_allclose(by, [0.0, 0.5, 0.5])


@given(st.integers(0, 66), st.integers(0, 2**32 - 1))
def test_what_is_reached_today_is_certain_and_a_gain_never_is(
    task: Task, last: int, seed: int
) -> None:
    quantiles = np.sort(np.random.default_rng(seed).uniform(0, 66, (1, 6, 19)), axis=-1)
    last_B = np.array([last], dtype=np.float32)
    chance = chances(quantiles, last_B, task)
    assert ("FM-UE 50 or more" in reached_today(float(last), task)) == (last >= 50)
    assert "important gain" not in reached_today(float(last), task)
    if last >= 50:
        assert (chance["FM-UE 50 or more"] == 1).all()
        none_BH = np.full((1, 6), np.nan, dtype=np.float32)
        assert reached(none_BH, last_B, task)["FM-UE 50 or more"].all()
    assumed = chances(quantiles, last_B, task, assessed_B=np.array([False]))
    assert (assumed["FM-UE 50 or more"] <= 1).all()
    if last > 61:
        assert (chance["important gain"] == 0).all()
