"""What inputs add to a forecast, on made-up people whose steps foretell how far they will come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.floor import bayes_floor
from features.simulate.scenario import Scenario
from support.binary_added import binary_added
from support.plain_ridge import ridge
from support.without import (
    Added,
    added,
    dropped,
    families,
    forecasts,
    hidden,
    scored_at_enrolment_only,
    task_without,
)

STEPS = "LOINC//41950-7"


def added_by_steps(batch: SequenceBatch, task: Task) -> Added:
    unseen_B = batch.subject_B % 3 == 0
    tables = []
    for pairs in (hidden(batch, [STEPS]), batch):
        predict = ridge(pairs.take(~unseen_B), task, seed=0)
        unseen = pairs.take(unseen_B)
        tables.append(forecasts(unseen, predict(unseen), task))
    without, with_them = tables
    # The rows of one of them are in another order: an outcome is compared with itself.
    return added(without, with_them[::-1], where="made up", model="ridge", what="steps")


def with_steps(batch: SequenceBatch, points_B: np.ndarray) -> SequenceBatch:
    """The same people, whose steps of the last day are these points."""
    channel = batch.layout.channels_C.index(STEPS)
    values_BTC, observed_BTC = batch.values_BTC.copy(), batch.observed_BTC.copy()
    values_BTC[:, :, channel], observed_BTC[:, :, channel] = 0, False
    values_BTC[:, -1, channel], observed_BTC[:, -1, channel] = 100 * points_B, True
    return replace(batch, values_BTC=values_BTC, observed_BTC=observed_BTC)


def test_what_foretells_the_outcome_helps_and_the_same_of_somebody_else_does_not(
    batch: SequenceBatch, task: Task
) -> None:
    noise_B = np.random.default_rng(0).normal(0, 2, len(batch))
    knowing_B = np.nanmean(batch.truth_BH, axis=1) + noise_B
    real = added_by_steps(with_steps(batch, knowing_B), task)
    assert real.high < 0
    assert real.width_high < 0
    others = added_by_steps(with_steps(batch, np.roll(knowing_B, 12)), task)
    assert others.high > 0


def test_a_hidden_channel_leaves_no_trace(batch: SequenceBatch) -> None:
    channel = batch.layout.channels_C.index(STEPS)
    changed = replace(batch, values_BTC=batch.values_BTC * np.float32(2))
    for pairs in (hidden(batch, [STEPS]), hidden(changed, [STEPS])):
        assert not pairs.observed_BTC[:, :, channel].any()
        assert not pairs.values_BTC[:, :, channel].any()
    others = np.arange(batch.values_BTC.shape[2]) != channel
    np.testing.assert_array_equal(
        hidden(batch, [STEPS]).values_BTC[..., others], batch.values_BTC[..., others]
    )


def test_without_later_scores_a_wearable_still_runs(batch: SequenceBatch, task: Task) -> None:
    late = batch.take(batch.origin_day_B == 21)
    only = scored_at_enrolment_only(late, task)
    target, steps = (late.layout.channels_C.index(code) for code in (task.target.code, STEPS))
    since_T = 21 - np.arange(late.values_BTC.shape[1])[::-1]
    assert late.observed_BTC[:, since_T > 0, target].any()
    assert not only.observed_BTC[:, since_T > 0, target].any()
    np.testing.assert_array_equal(
        only.observed_BTC[:, since_T <= 0, target], late.observed_BTC[:, since_T <= 0, target]
    )
    np.testing.assert_array_equal(only.values_BTC[:, :, steps], late.values_BTC[:, :, steps])


def test_families_are_of_wearables_alone(task: Task) -> None:
    of_family = families(task)
    codes = [code for channels in of_family.values() for code in channels]
    assert STEPS in of_family["gait"]
    assert "REHABCAST//THERAPY" not in codes
    assert set(task_without(task, codes).inputs.daily) == {"REHABCAST//THERAPY"}


def test_forecasts_of_different_outcomes_are_not_compared(batch: SequenceBatch, task: Task) -> None:
    quantiles_BHQ = np.zeros((*batch.truth_BH.shape, 19))
    table = forecasts(batch, quantiles_BHQ, task)
    with pytest.raises(ValueError, match="not the same outcomes"):
        added(table[1:], table, where="made up", model="none", what="nothing")


def test_a_chance_that_knows_ranks_better_and_the_same_chance_adds_nothing() -> None:
    generator = np.random.default_rng(0)
    good_B = generator.random(300) < 0.7
    blind_B = np.full(300, 0.7)
    knowing_B = np.where(good_B, 0.8, 0.4) + generator.normal(0, 0.1, 300)
    about: dict[str, Any] = {"where": "made up", "model": "none", "what": "it", "replicates": 50}
    better = binary_added(blind_B, knowing_B, good_B, **about)
    without, with_it, low, high = better.auroc
    assert (without, better.brier[3] < 0) == (0.5, True)
    assert 0 < low < with_it - without < high
    same = binary_added(blind_B, blind_B, good_B, **about)
    assert same.auroc == (0.5, 0.5, 0, 0)


def test_the_best_possible_forecast_takes_nothing_from_a_channel_that_says_nothing(
    task: Task,
) -> None:
    """Sleep is simulated from nothing; that no walking can be measured is no sign of not walking."""
    events, _ = simulate(subjects=3, seed=5)
    batch = training_sequences(events, task)
    late = batch.take(batch.origin_day_B == 21)
    worn = {code for codes in families(task).values() for code in codes}
    none, sleep = (
        bayes_floor(dropped(late, worn - kept), events, task, Scenario(), seed=0)
        for kept in (set(), {"REHABCAST//SLEEP"})
    )
    assert none.equals(sleep)
