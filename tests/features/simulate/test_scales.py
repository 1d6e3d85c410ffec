from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.simulate.scales import SCALES, Scale


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.code)
def test_the_chances_of_all_scores_sum_to_one(scale: Scale) -> None:
    scores = np.arange(scale.low, scale.high + scale.step / 2, scale.step)
    hidden = np.linspace(scale.low, scale.high, 23)
    chance = sum(np.exp(scale.log_likelihood(float(score), hidden)) for score in scores)
    np.testing.assert_allclose(chance, 1, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(scale=st.sampled_from(SCALES), share=st.floats(0, 1), noisier=st.floats(0.5, 2))
def test_recorded_scores_are_as_likely_as_the_likelihood_says(
    scale: Scale, share: float, noisier: float
) -> None:
    hidden = np.full(4_000, scale.low + share * (scale.high - scale.low))
    normal = np.random.default_rng(0).normal(size=len(hidden))
    recorded = scale.scored(hidden, normal, noisier=noisier)
    assert recorded.min() >= scale.low
    assert recorded.max() <= scale.high
    for score, count in zip(*np.unique(recorded, return_counts=True), strict=True):
        chance = float(np.exp(scale.log_likelihood(score, hidden[:1], noisier=noisier))[0])
        error = np.sqrt(chance * (1 - chance) / len(hidden))
        assert abs(count / len(hidden) - chance) < 6 * error + 1e-3
