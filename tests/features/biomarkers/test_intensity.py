from __future__ import annotations

import numpy as np
import pytest

from contracts.errors import ContractError
from features.biomarkers import intensity


def test_amplitude_deviation_is_the_librarys_and_an_offset_leaves_it_alone() -> None:
    metrics = pytest.importorskip("skdh.activity")
    moved = np.random.default_rng(0).normal((0.1, 0.2, 0.9), 0.2, (6000, 3)).astype(np.float32)
    magnitude_N = intensity.magnitude(moved)
    start_E = np.arange(0, 6000, 500)
    ours_E = intensity.amplitude_deviation(magnitude_N, start_E).reshape(12, 500).mean(axis=1)
    np.testing.assert_allclose(ours_E, metrics.metric_mad(moved.astype(float), wlen=500), rtol=1e-6)
    shifted = intensity.amplitude_deviation(magnitude_N + 0.05, start_E)
    np.testing.assert_allclose(shifted.reshape(12, 500).mean(axis=1), ours_E, rtol=1e-9)


def test_enmo_and_counts() -> None:
    still = np.tile(np.array([0, 0, 1], dtype=np.float32), (18000, 1))
    assert intensity.enmo(intensity.magnitude(still)).max() == pytest.approx(0)
    assert intensity.enmo(intensity.magnitude(2 * still)).mean() == pytest.approx(1)
    swing = still.copy()
    swing[:, 2] += 0.3 * np.sin(2 * np.pi * np.arange(18000) / 30)  # 1 Hz at 30 Hz.
    # Half of a sine of 0.3 g lies above gravity; its mean is 0.3 / pi.
    assert intensity.enmo(intensity.magnitude(swing)).mean() == pytest.approx(0.3 / np.pi, rel=0.02)
    pytest.importorskip("agcounts")
    assert not intensity.actigraph_counts(still, 30).any()
    counts = intensity.actigraph_counts(swing, 30)
    assert counts.shape == (10, 3)
    assert counts[:, 2].min() > 1000
    with pytest.raises(ContractError, match="not defined at 37 Hz"):
        intensity.actigraph_counts(swing, 37)
