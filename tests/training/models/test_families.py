"""Properties that hold for several model families, and those of single families."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.network_fit import forward
from training.models import Fit, Predict
from training.models.architectures import new_network
from training.models.bedside_rules import last_observation, proportional_recovery
from training.models.forest import random_forest
from training.models.mixed_effects import mixed_effects
from training.models.recovery_groups import recovery_groups

FAMILIES = {"forest": random_forest, "groups": recovery_groups, "mixed": mixed_effects}


@pytest.mark.parametrize("fit", FAMILIES.values(), ids=FAMILIES)
def test_quantiles_rise_stay_on_the_scale_and_repeat(
    fit: Fit, batch: SequenceBatch, task: Task
) -> None:
    unseen = batch.subject_B % 4 == 0
    train, rest = batch.take(~unseen), batch.take(unseen)
    quantiles_BHQ = fit(train, task, seed=2)(rest)
    assert quantiles_BHQ.shape == (len(rest), 6, 19)
    assert (np.diff(quantiles_BHQ, axis=-1) >= -1e-4).all()
    assert quantiles_BHQ.min() >= 0
    assert quantiles_BHQ.max() <= 66
    np.testing.assert_array_equal(quantiles_BHQ, fit(train, task, seed=2)(rest))


@pytest.mark.parametrize("fit", FAMILIES.values(), ids=FAMILIES)
def test_a_forecast_beats_the_training_median(fit: Fit, batch: SequenceBatch, task: Task) -> None:
    unseen = batch.subject_B % 4 == 0
    train, rest = batch.take(~unseen), batch.take(unseen)
    median_BH = fit(train, task, seed=2)(rest)[..., 9]
    naive_H = np.nanmedian(np.where(np.isnan(train.truth_BH), 30.0, train.truth_BH), axis=0)
    error = np.nanmean(np.abs(median_BH - rest.truth_BH))
    assert error < 0.7 * np.nanmean(np.abs(naive_H - rest.truth_BH))


def test_mixed_effects_follow_a_subject_with_more_scores_more_closely(
    batch: SequenceBatch, task: Task
) -> None:
    predict = mixed_effects(batch, task, seed=0)
    target = batch.layout.channels_C.index(task.target.code)
    many = batch.take(batch.observed_BTC[:, :, target].sum(axis=1) > 1)
    one = batch.take(batch.observed_BTC[:, :, target].sum(axis=1) == 1)
    width = lambda b: (predict(b)[..., 17] - predict(b)[..., 1]).mean()  # noqa: E731
    assert width(many) < width(one)


def test_mixed_effects_take_a_cohort_where_everybody_is_seen_on_the_same_two_days(
    batch: SequenceBatch, task: Task
) -> None:
    """As if enrolment stands for an unknown onset: quantiles of the times coincide."""
    first = batch.take(batch.origin_day_B == 0)
    days = np.arange(1 - task.inputs.past_days, 1, dtype=np.float32)
    same = replace(
        first,
        days_since_onset_BT=np.tile(days, (len(first), 1)),
        truth_BH=np.where(np.arange(6) == 3, first.truth_BH, np.nan),
    )
    quantiles_BHQ = mixed_effects(same, task, seed=0)(same)
    assert np.nanmean(np.abs(quantiles_BHQ[:, 3, 9] - same.truth_BH[:, 3])) < 10


def untrained_hybrid(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    torch.manual_seed(seed)
    network = new_network(train.layout, task, "hybrid", hidden=8)
    network.encoder.learn(train)
    return lambda batch: forward(network.eval(), batch)


def reversed_scale(batch: SequenceBatch, task: Task) -> tuple[SequenceBatch, Task]:
    """Return the same subjects on the reversed scale, where a lower score is better."""
    target, high = batch.layout.channels_C.index(task.target.code), np.float32(task.target.high)
    values_BTC = batch.values_BTC.copy()
    values_BTC[..., target] = np.where(
        batch.observed_BTC[..., target], high - values_BTC[..., target], 0
    )
    lower = replace(
        batch,
        values_BTC=values_BTC,
        last_score_B=high - batch.last_score_B,
        truth_BH=high - batch.truth_BH,
    )
    better = task.target.model_copy(update={"better": "lower"})
    return lower, task.model_copy(update={"target": better})


DIRECTED = {
    "hybrid": untrained_hybrid,
    "groups": recovery_groups,
    "proportional": proportional_recovery,
    "last": last_observation,
}


@pytest.mark.parametrize("fit", DIRECTED.values(), ids=DIRECTED)
def test_where_lower_is_better_recovery_lowers_the_score(
    fit: Fit, batch: SequenceBatch, task: Task
) -> None:
    """A family that expects recovery must expect it in the direction of the scale."""
    reversed_batch, reversed_task = reversed_scale(batch, task)
    rising_BHQ = fit(batch, task, seed=0)(batch)
    falling_BHQ = fit(reversed_batch, reversed_task, seed=0)(reversed_batch)
    np.testing.assert_allclose(66 - falling_BHQ[..., ::-1], rising_BHQ, atol=0.01)
