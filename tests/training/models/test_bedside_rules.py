from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts.forecast import MEDIAN
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models.bedside_rules import last_observation, proportional_recovery
from training.models.boosted import boosted_quantiles

FAMILIES = [last_observation, proportional_recovery, boosted_quantiles]


@pytest.mark.parametrize("fit", FAMILIES)
def test_quantiles_rise_and_stay_on_the_scale(fit, batch: SequenceBatch, task: Task) -> None:
    quantiles_BHQ = fit(batch, task, seed=0)(batch)
    assert quantiles_BHQ.shape == (*batch.truth_BH.shape, 19)
    assert (np.diff(quantiles_BHQ, axis=-1) >= 0).all()
    assert quantiles_BHQ.min() >= 0
    assert quantiles_BHQ.max() <= 66


@pytest.mark.parametrize("fit", FAMILIES)
def test_the_same_seed_gives_the_same_forecast(fit, batch: SequenceBatch, task: Task) -> None:
    np.testing.assert_array_equal(fit(batch, task, seed=3)(batch), fit(batch, task, seed=3)(batch))


def test_last_observation_centres_on_the_last_score_plus_the_usual_change(
    batch: SequenceBatch, task: Task
) -> None:
    quantiles_BHQ = last_observation(batch, task, seed=0)(batch)
    change_BH = batch.truth_BH - batch.last_score_B[:, None]
    usual = np.nanmedian(change_BH[:, 3])
    low = batch.last_score_B < 30
    centre = quantiles_BHQ[low, 3, MEDIAN] - batch.last_score_B[low]
    np.testing.assert_allclose(centre, usual, atol=1e-6)


def test_proportional_recovery_finds_a_planted_slope(batch: SequenceBatch, task: Task) -> None:
    planted = batch.last_score_B[:, None] + 0.7 * (66 - batch.last_score_B[:, None])
    truth_BH = np.repeat(planted, batch.truth_BH.shape[1], axis=1).astype(np.float32)
    quantiles_BHQ = proportional_recovery(replace(batch, truth_BH=truth_BH), task, seed=0)(batch)
    np.testing.assert_allclose(quantiles_BHQ[:, :, MEDIAN], planted.repeat(6, axis=1), atol=0.05)
