from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta as beta_law
from scipy.stats import binom

from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.moments import log_change, moments, worsened
from inference.similar import (
    ALIKE_CHANGE,
    ALIKE_DAYS,
    ALIKE_SCORE,
    FEWEST,
    LEAST_OUTCOMES,
    SOME,
    Rarity,
    given_by_others,
    learn_people_seen,
    rounded_down,
    shown_number,
)


def with_scores(
    batch: SequenceBatch, task: Task, *scores: float, day: float = 20.0
) -> SequenceBatch:
    """One pair with these scores, a week apart, the last on the day of the forecast."""
    pair = batch.take(np.array([0]))
    channel = pair.layout.channels_C.index(task.target.code)
    values_BTC, observed_BTC = pair.values_BTC.copy(), pair.observed_BTC.copy()
    values_BTC[:, :, channel], observed_BTC[:, :, channel] = 0, False
    for back, score in enumerate(reversed(scores)):
        values_BTC[0, -1 - 7 * back, channel], observed_BTC[0, -1 - 7 * back, channel] = score, True
    days = pair.values_BTC.shape[1]
    return replace(
        pair,
        values_BTC=values_BTC,
        observed_BTC=observed_BTC,
        last_score_B=np.array([scores[-1]], dtype=np.float32),
        days_since_onset_BT=(day + np.arange(1 - days, 1, dtype=np.float32))[None],
    )


def people(one: SequenceBatch, number: int, outcomes: int | None = None) -> SequenceBatch:
    """So many people with the same record, of whom some have an outcome at every horizon."""
    many = one.take(np.zeros(number, dtype=np.int64))
    truth_BH = np.full(many.truth_BH.shape, 30, dtype=np.float32)
    truth_BH[number if outcomes is None else outcomes :] = np.nan
    return replace(many, subject_B=np.arange(number), truth_BH=truth_BH)


@pytest.mark.parametrize(
    ("scores", "change"),
    [
        ((20,), np.nan), ((20, 20), 0), ((40, 25, 10), -30), ((10, 25, 40), 30),
        ((40, 10, 12), -28), ((10, 40, 38), 28), ((30, 40, 35), -5),
    ],
)  # fmt: skip
def test_a_course_is_the_largest_loss_or_gain(
    batch: SequenceBatch, task: Task, scores: tuple[float, ...], change: float
) -> None:
    at = moments(with_scores(batch, task, *scores), task)
    np.testing.assert_array_equal(at.change_B, [change])
    assert worsened(at.change_B, task.target)[0] == (change < -4.25)
    turned = task.model_copy(update={"target": task.target.model_copy(update={"better": "lower"})})
    back = moments(with_scores(batch, turned, *(66 - np.array(scores, dtype=float))), turned)
    np.testing.assert_array_equal(back.change_B, [change])
    np.testing.assert_allclose(back.score_B, at.score_B)


@given(
    days=st.floats(1, 400), score=st.integers(0, 66), other_days=st.floats(1, 400),
    other=st.integers(0, 66), change=st.integers(-40, 40), other_change=st.integers(-40, 40),
)  # fmt: skip
def test_people_count_where_they_are_alike_and_nowhere_else(
    batch: SequenceBatch,
    task: Task,
    days: float,
    score: int,
    other_days: float,
    other: int,
    change: int,
    other_change: int,
) -> None:
    """By plain distances; within the steps of the grid either answer is right."""

    def record(last: int, by: int, day: float) -> SequenceBatch:
        return with_scores(batch, task, float(np.clip(last - by, 0, 66)), float(last), day=day)

    seen = people(record(other, other_change, other_days), 20)
    told = learn_people_seen(seen, seen, task).similar(record(score, change, days), task)
    first, second = moments(record(score, change, days), task), moments(seen.take([0]), task)
    apart = np.array(
        [
            abs(np.log1p(first.days_B[0]) - np.log1p(second.days_B[0])) / ALIKE_DAYS,
            abs(first.score_B[0] - second.score_B[0]) / ALIKE_SCORE,
            abs(
                np.diff(log_change(np.array([first.change_B[0], second.change_B[0]]), task.target))
            )[0]
            / ALIKE_CHANGE,
        ]
    )
    if (apart < 0.7).all() and not worsened(first.change_B, task.target)[0]:
        assert (told == 20).all()
    if (apart > 1.3).any():
        assert (told == 0).all()


def test_nothing_that_leaves_the_hospital_counts_fewer_than_may_be_told(
    batch: SequenceBatch, task: Task
) -> None:
    one = with_scores(batch, task, 20.0)
    marks = {0, SOME}
    for number in range(1, 23):
        seen = learn_people_seen(people(one, number), people(one, number), task)
        similar = int(seen.similar(one, task)[0, -1])
        assert (similar > 0) == (number >= FEWEST)
        assert shown_number(similar) is None or 11 <= similar <= number
        assert (shown_number(similar) is None) == (number < 11)
        assert set(np.unique(seen.count_DSKH[seen.count_DSKH < 11]).tolist()) <= marks
        assert (seen.outcomes_H == (number if number >= LEAST_OUTCOMES else 1)).all()
    # Among those that are too few to be told one more or less changes nothing.
    five, ten = (learn_people_seen(people(one, n), people(one, 20), task) for n in (5, 10))
    np.testing.assert_array_equal(five.count_DSKH, ten.count_DSKH)


@given(number=st.integers(0, 10_000))
def test_rounding_keeps_the_order_and_never_adds_a_person(number: int) -> None:
    rounded = int(rounded_down(np.array([number]))[0])
    assert rounded <= number
    assert number - rounded <= 5
    assert rounded <= int(rounded_down(np.array([number + 1]))[0])


def test_a_person_counts_once_however_many_days_are_alike(batch: SequenceBatch, task: Task) -> None:
    one = with_scores(batch, task, 20.0)
    days = replace(people(one, 40), subject_B=np.repeat(np.arange(10), 4))
    assert learn_people_seen(days, days, task).similar(one, task)[0, -1] == SOME


def test_a_horizon_is_forecast_where_enough_people_are_behind_it(
    batch: SequenceBatch, task: Task
) -> None:
    one = with_scores(batch, task, 20.0)
    for outcomes, served, given_ in ((10, False, False), (11, True, True), (0, False, False)):
        known = people(one, 30, outcomes)
        seen = learn_people_seen(known, known, task)
        assert seen.served_H.all() == served
        assert seen.given(seen.similar(one, task), one)[0].all() == given_
    late = replace(one, origin_day_B=np.array([100]))
    known = people(one, 30)
    seen = learn_people_seen(known, known, task)
    horizons = np.array(late.layout.horizon_days_H)
    np.testing.assert_array_equal(seen.given(seen.similar(late, task), late)[0], horizons > 100)


def test_what_is_rare_about_somebody_is_told(batch: SequenceBatch, task: Task) -> None:
    usual = people(with_scores(batch, task, 20.0, 22.0), 30)
    seen = learn_people_seen(usual, usual, task)
    for record, rarity in (
        (with_scores(batch, task, 60.0, 22.0), Rarity.COURSE),
        (with_scores(batch, task, 60.0, 60.0), Rarity.SCORE),
        (with_scores(batch, task, 20.0, 22.0, day=900), Rarity.TIME),
    ):
        assert seen.rarity(record, task) is rarity


def test_the_minimum_of_outcomes_is_what_its_argument_says() -> None:
    def lower(inside: int, people_: int) -> float:
        return float(beta_law.ppf(0.05, inside, people_ - inside + 1))

    assert lower(9, LEAST_OUTCOMES) > 0.5 > lower(8, LEAST_OUTCOMES - 1)
    assert binom.sf(8, 11, lower(9, 11)) == pytest.approx(0.05)
    assert round(0.8 * (1 + 1 / (FEWEST - 1)), 12) == 1


@pytest.mark.parametrize("number", [5, 6, 7, 12])
def test_what_is_judged_is_what_a_service_would_give_that_had_seen_everybody_else(
    batch: SequenceBatch, task: Task, number: int
) -> None:
    """Six alike in three folds have four others in two of them, and five others in all."""
    alike = people(with_scores(batch, task, 20.0), number)
    # Others without whom no horizon would be served, on another course.
    rest = people(with_scores(batch, task, 60.0, 62.0, day=60.0), 30)
    rest = replace(rest, subject_B=rest.subject_B + number)
    both = joined(alike, rest)
    given_BH = given_by_others(both, both, task)
    assert (given_BH[:number] == (number > FEWEST)).all()
    assert given_BH[number:].all()


def joined(first: SequenceBatch, second: SequenceBatch) -> SequenceBatch:
    arrays: dict[str, Any] = {
        field.name: np.concatenate([getattr(first, field.name), getattr(second, field.name)])
        for field in fields(first)
        if isinstance(getattr(first, field.name), np.ndarray)
    }
    groups_B = pd.concat([first.groups_B, second.groups_B], ignore_index=True)
    return replace(first, groups_B=groups_B, **arrays)
