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
    ByPeople,
    learn_caution,
    read_by_people,
    widened,
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


def test_a_share_holds_between_days_in_proportion_and_beyond_them_as_on_the_nearest() -> None:
    by_people = ByPeople(days_D=np.array([0, 20]), share_DH=np.array([[0.1, 0.2], [0.3, 0.2]]))
    at = [by_people.on(day, 0) for day in (-3, 0, 5, 20, 84)]
    assert at == pytest.approx([0.1, 0.1, 0.15, 0.3, 0.3])
    assert by_people.on(5, 1) == pytest.approx(0.2)


def test_an_earlier_bundle_has_one_share_for_all_days_or_none() -> None:
    assert read_by_people({}) is None
    earlier = read_by_people({"by_people_H": np.array([0.1, 0.2])})
    assert earlier is not None
    assert [earlier.on(day, 1) for day in (0, 21, 84)] == [0.2, 0.2, 0.2]
