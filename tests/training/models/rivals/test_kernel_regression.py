from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts.forecast import MEDIAN
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models.rivals import kernel_regression as module
from training.models.rivals.kernel_regression import kernel_regression


def test_a_change_that_scores_foretell_is_found_and_its_spread(
    batch: SequenceBatch, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: those below 20 gain 15 points, the others none."""
    monkeypatch.setattr(module, "BANDWIDTHS", ((0.05, 1.0), (0.4, 1.0)))
    last_B = batch.last_score_B
    gain_B = np.where(last_B < 20, 15, 0) + np.random.default_rng(0).normal(0, 2, len(batch))
    truth_BH = np.repeat((last_B + gain_B)[:, None], 6, axis=1).astype(np.float32)
    quantiles_BHQ = kernel_regression(replace(batch, truth_BH=truth_BH), task, seed=0)(batch)
    change_B = quantiles_BHQ[:, 3, MEDIAN] - last_B
    assert change_B[(last_B < 13)].min() > 11
    assert np.abs(change_B[(last_B > 27) & (last_B < 55)]).max() < 4
    width_B = quantiles_BHQ[:, 3, 17] - quantiles_BHQ[:, 3, 1]
    assert np.median(width_B[last_B < 13]) == pytest.approx(2 * 1.28 * 2, rel=0.5)


def test_far_from_everybody_the_nearest_are_asked(
    batch: SequenceBatch, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So far that every weight by itself would be 0."""
    monkeypatch.setattr(module, "BANDWIDTHS", ((0.05, 0.1),))
    later = replace(batch, days_since_onset_BT=batch.days_since_onset_BT + np.float32(1e6))
    quantiles_BHQ = kernel_regression(batch, task, seed=0)(later)
    assert np.isfinite(quantiles_BHQ).all()
