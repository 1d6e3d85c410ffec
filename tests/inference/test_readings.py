"""A fall within a course, made up since or not, never makes a forecast surer than a steady course."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from contracts.forecast import MEDIAN, QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.blocks import joined
from inference.readings import covering_both, fell
from tests.inference.test_similar import with_scores

courses = st.lists(st.integers(0, 66).map(float), min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(courses)
def test_a_fall_is_found_wherever_in_the_course_it_was(
    batch: SequenceBatch, task: Task, scores: list[float]
) -> None:
    lost = max(
        (early - late for i, early in enumerate(scores) for late in scores[i + 1 :]), default=0
    )
    shown = fell(with_scores(batch, task, *scores), task)[0]
    assert shown == (lost > task.target.minimal_important_difference)


@pytest.mark.parametrize("scores", [(35.0, 22.0, 36.0), (35.0, 36.0, 22.0)])
def test_a_forecast_of_a_course_with_a_fall_is_no_surer_than_of_a_steady_one(
    batch: SequenceBatch, task: Task, scores: tuple[float, ...]
) -> None:
    generator = np.random.default_rng(0)
    raw, steady = np.sort(generator.uniform(0, 66, (2, 1, 2, 19)), axis=-1)
    both = covering_both(raw, with_scores(batch, task, *scores), task, lambda _: steady)
    for reading in (raw, steady):
        assert (both[..., :MEDIAN] <= reading[..., :MEDIAN]).all()
        assert (both[..., MEDIAN + 1 :] >= reading[..., MEDIAN + 1 :]).all()
    assert (both[..., MEDIAN] == raw[..., MEDIAN]).all()


def test_a_forecast_of_a_course_without_a_fall_stays(batch: SequenceBatch, task: Task) -> None:
    raw, steady = np.sort(np.random.default_rng(1).uniform(0, 66, (2, 1, 2, 19)), axis=-1)
    rising = with_scores(batch, task, 20.0, 24.0, 22.0, 36.0)
    assert (covering_both(raw, rising, task, lambda _: steady) == raw).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(courses, min_size=1, max_size=6))
@example([[35.0, 22.0], [20.0, 30.0]])
@example([[20.0, 30.0], [60.0, 22.0], [35.0, 22.0]])
def test_of_many_only_those_who_fell_are_forecast_again_and_as_each_alone(
    batch: SequenceBatch, task: Task, each: list[list[float]]
) -> None:
    asked: list[int] = []

    def forecast(pairs: SequenceBatch) -> NDArray[np.float64]:
        asked.append(len(pairs))
        return pairs.last_score_B[:, None, None] + np.zeros((1, 2, len(QUANTILE_LEVELS)))

    alone = [with_scores(batch, task, *scores) for scores in each]
    many = joined(alone)
    raw = np.sort(np.random.default_rng(2).uniform(0, 66, (len(each), 2, 19)), axis=-1)
    before = raw.copy()
    both = covering_both(raw, many, task, forecast)
    assert asked == [fell(many, task).sum()][: int(fell(many, task).any())]
    for i, pairs in enumerate(alone):
        assert (covering_both(raw[i : i + 1], pairs, task, forecast) == both[i : i + 1]).all()
    assert (raw == before).all()
