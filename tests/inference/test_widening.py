from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from contracts.forecast import LOWER_80, MEDIAN, QUANTILE_LEVELS, UPPER_80
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.widening import (
    CAUTIONS,
    FULL_CAUTION,
    learn_caution,
    share_by_people,
    widened,
    width_of_many,
)

QUANTILES = np.tile(30 + 5 * norm.ppf(QUANTILE_LEVELS), (1, 1, 1))


@given(st.integers(0, 300), st.integers(0, 2**32 - 1), st.sampled_from(CAUTIONS))
def test_fewer_people_alike_never_make_surer_and_the_median_stays(
    number: int, seed: int, caution: float
) -> None:
    quantiles = np.sort(np.random.default_rng(seed).uniform(0, 66, (1, 1, 19)), axis=-1)
    many = widened(quantiles, np.array([[number + 5]]), 0, 66, caution)
    few = widened(quantiles, np.array([[number]]), 0, 66, caution)
    assert (few[..., :MEDIAN] <= many[..., :MEDIAN] + 1e-9).all()
    assert (few[..., MEDIAN:] >= many[..., MEDIAN:] - 1e-9).all()
    assert (np.diff(few, axis=-1) >= -1e-9).all()
    assert few.min() >= 0
    assert few.max() <= 66
    assert few[0, 0, MEDIAN] == quantiles[0, 0, MEDIAN]


def test_a_range_learned_from_few_holds_the_next_as_often_as_it_says() -> None:
    """Of a normal law, whose middle is known: the level that n people need to hold the next."""
    for number in (5, 10, 20, 100):
        wide = widened(QUANTILES, np.array([[number]]), -1e9, 1e9)[0, 0]
        level = norm.cdf((wide[UPPER_80] - 30) / 5) - norm.cdf((wide[LOWER_80] - 30) / 5)
        assert level == pytest.approx(0.8 * (1 + 1 / number), abs=0.01)
    assert widened(QUANTILES, np.array([[4]]), 0, 66)[0, 0, 0] == 0


@pytest.mark.parametrize("spread", [5.0, 9.0])
def test_the_caution_is_what_the_outcomes_of_the_sparse_ask_for(
    batch: SequenceBatch, task: Task, spread: float
) -> None:
    """Half have 100 people alike and errors of 5 points; the others have 5, and larger errors."""
    many = batch.take(np.arange(600) % len(batch))
    sparse_B = np.arange(600) % 2 == 0
    shape = many.truth_BH.shape
    generator = np.random.default_rng(0)
    spread_B1 = np.where(sparse_B, spread, 5.0)[:, None]
    truth_BH = (30 + spread_B1 * generator.normal(size=shape)).astype(np.float32)
    raw_BHQ = np.broadcast_to(QUANTILES, (*shape, 19)).copy()
    similar_BH = np.broadcast_to(np.where(sparse_B, 5, 100)[:, None], shape).astype(np.int32)
    groups_B = many.groups_B.iloc[:, :0]
    people = replace(many, groups_B=groups_B)
    caution = learn_caution(raw_BHQ, similar_BH, people, truth_BH, task)
    assert (caution > min(CAUTIONS)) == (spread > 5)
    few = np.full(shape, np.nan, dtype=np.float32)
    assert learn_caution(raw_BHQ, similar_BH, people, few, task) == FULL_CAUTION


@given(st.floats(0, 20), st.floats(0.1, 20))
def test_the_share_by_people_takes_back_what_they_added(by_people: float, by_course: float) -> None:
    """A range of a course's spread and of a median's by people becomes that of the course alone."""
    spread = np.hypot(by_people, by_course)
    quantiles_BHQ = np.tile(30 + spread * norm.ppf(QUANTILE_LEVELS), (7, 2, 1))
    given_BH = np.tile([True, False], (7, 1))
    share_H = share_by_people(np.full((7, 2), by_people**2), quantiles_BHQ, given_BH)
    assert share_H[1] == 0
    width = float(quantiles_BHQ[0, 0, UPPER_80] - quantiles_BHQ[0, 0, LOWER_80])
    assert width_of_many(width, share_H[0]) == pytest.approx(2 * norm.ppf(0.9) * by_course)
