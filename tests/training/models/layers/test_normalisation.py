from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from contracts.sequences import SequenceBatch
from training.models.layers.normalisation import Normalisation


def filled(batch: SequenceBatch, draws: dict[int, np.ndarray]) -> SequenceBatch:
    """Return a batch with the given values, all observed, in the given channels."""
    values_BTC, observed_BTC = batch.values_BTC.copy(), batch.observed_BTC.copy()
    for channel, draw in draws.items():
        values_BTC[:, :, channel] = draw
        observed_BTC[:, :, channel] = True
    return replace(batch, values_BTC=values_BTC, observed_BTC=observed_BTC)


def test_positive_skewed_channels_enter_as_their_logarithm(batch: SequenceBatch) -> None:
    random = np.random.default_rng(0)
    shape = batch.values_BTC.shape[:2]
    normal = random.normal(size=shape)
    skewed_with_zeros = np.where(random.random(shape) < 0.2, 0, np.exp(normal))
    changed = filled(batch, {0: np.exp(6 + normal), 1: 60 + 5 * normal, 2: skewed_with_zeros})
    normalisation = Normalisation(batch.values_BTC.shape[2], batch.person_BS.shape[1])
    normalisation.learn(changed)
    np.testing.assert_array_equal(normalisation.log_C[:3], [1, 0, 0])
    observed = torch.from_numpy(changed.observed_BTC).float()
    standardised = normalisation.series(torch.from_numpy(changed.values_BTC), observed)
    for channel in range(3):
        assert abs(float(standardised[..., channel].mean())) < 1e-3
        assert abs(float(standardised[..., channel].std()) - 1) < 1e-2
    # The logarithm of the skewed channel is the normal it was made from, its lowest 1 % raised.
    least = np.quantile(normal, 0.01)
    expected = np.maximum(normal, least)
    expected = (expected - expected.mean()) / expected.std()
    np.testing.assert_allclose(standardised[..., 0], expected, atol=2e-3)
