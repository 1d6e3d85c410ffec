from __future__ import annotations

import numpy as np
import pytest

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Fit
from training.models.forest import random_forest
from training.models.groups import recovery_groups
from training.models.mixed import mixed_effects

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
def test_a_forecast_beats_saying_the_training_median(
    fit: Fit, batch: SequenceBatch, task: Task
) -> None:
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
