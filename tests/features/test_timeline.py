from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.timeline import days_since_observed


@given(arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 3))))
def test_days_since_observed_are_counted_from_the_last_observation(
    observed: np.ndarray,
) -> None:
    since = days_since_observed(observed)
    for b, t, c in np.ndindex(observed.shape):
        before = np.flatnonzero(observed[b, : t + 1, c])
        expected = t - before[-1] if len(before) else np.nan
        np.testing.assert_equal(since[b, t, c], np.float32(expected))
