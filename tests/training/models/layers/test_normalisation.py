from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from contracts.sequences import SequenceBatch
from training.models.layers.normalisation import Normalisation


def filled(batch: SequenceBatch, draws: dict[int, np.ndarray]) -> SequenceBatch:
    """Return a batch whose first channels hold what was drawn, all seen."""
    values_BTC, observed_BTC = batch.values_BTC.copy(), batch.observed_BTC.copy()
    for channel, draw in draws.items():
        values_BTC[:, :, channel] = draw
        observed_BTC[:, :, channel] = True
    return replace(batch, values_BTC=values_BTC, observed_BTC=observed_BTC)


def test_positive_skewed_channels_are_read_by_their_logarithm(batch: SequenceBatch) -> None:
    random = np.random.default_rng(0)
    shape = batch.values_BTC.shape[:2]
    normal = random.normal(size=shape)
    skewed_with_zeros = np.where(random.random(shape) < 0.2, 0, np.exp(normal))
    given = filled(batch, {0: np.exp(6 + normal), 1: 60 + 5 * normal, 2: skewed_with_zeros})
    normalisation = Normalisation(batch.values_BTC.shape[2], batch.person_BS.shape[1])
    normalisation.learn(given)
    np.testing.assert_array_equal(normalisation.log_C[:3], [1, 0, 0])
    seen = torch.from_numpy(given.observed_BTC).float()
    read = normalisation.series(torch.from_numpy(given.values_BTC), seen)
    for channel in range(3):
        assert abs(float(read[..., channel].mean())) < 1e-3
        assert abs(float(read[..., channel].std()) - 1) < 1e-2
    # By its logarithm the skewed channel is the normal that it came from, its lowest per cent cut.
    least = np.quantile(normal, 0.01)
    expected = np.maximum(normal, least)
    expected = (expected - expected.mean()) / expected.std()
    np.testing.assert_allclose(read[..., 0], expected, atol=2e-3)
