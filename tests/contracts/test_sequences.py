from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from contracts.sequences import SequenceBatch


@given(data=st.data())
def test_days_since_observed_are_counted_from_the_last_observation_that_is_shown(
    batch: SequenceBatch, data: st.DataObject
) -> None:
    few = batch.take(np.arange(2))
    shown = data.draw(arrays(np.bool_, few.observed_BTC.shape))
    hidden = replace(few, observed_BTC=few.observed_BTC & shown)
    since = hidden.days_since_observed_BTC()
    assert since.dtype == np.float32
    for b, t, c in np.ndindex(since.shape):
        before = np.flatnonzero(hidden.observed_BTC[b, : t + 1, c])
        expected = t - before[-1] if len(before) else np.nan
        np.testing.assert_equal(since[b, t, c], np.float32(expected))
