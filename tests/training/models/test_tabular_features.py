from __future__ import annotations

from dataclasses import replace

import numpy as np

from contracts.sequences import SequenceBatch
from training.models.tabular_features import tabular_features


def test_features_without_data_are_missing_and_not_zero(batch: SequenceBatch) -> None:
    empty = replace(batch, observed_BTC=np.zeros_like(batch.observed_BTC))
    channels = batch.values_BTC.shape[2]
    features_BF = tabular_features(empty)
    assert np.isnan(features_BF[:, : 3 * channels]).all()
    assert (features_BF[:, 3 * channels : 4 * channels] == 0).all()
