from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from contracts.sequences import SequenceBatch
from training.models.layers.sequence_encoders import GruDecay


def test_gru_d_decays_by_the_batch_s_days_since_observed(batch: SequenceBatch) -> None:
    channels = batch.observed_BTC.shape[2]
    network = GruDecay(channels, hidden=3)
    gaps: list[Tensor] = []
    network.state_decay.register_forward_hook(lambda _, inputs, __: gaps.append(inputs[0]))
    network(torch.from_numpy(batch.values_BTC), torch.from_numpy(batch.observed_BTC).float())
    gap_BTC = torch.stack(gaps, dim=1).numpy()
    # Che 2018 takes the gap before a day's own value. A channel never observed counts from the day
    # before the window.
    since_BTC = batch.days_since_observed_BTC()
    day_T1 = np.arange(since_BTC.shape[1], dtype=np.float32)[:, None]
    before_BTC = np.where(np.isnan(since_BTC), day_T1 + 1, since_BTC)[:, :-1]
    np.testing.assert_array_equal(gap_BTC[:, 1:], before_BTC + 1)
