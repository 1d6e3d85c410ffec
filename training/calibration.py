"""Conformalised quantiles: offsets that make the intervals as wide as they claim.

Letters: B pairs, H horizons, Q quantile levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.forecast import MEDIAN, QUANTILE_LEVELS

MINIMUM_OUTCOMES = 100
"""Below this many outcomes a horizon shares the offsets of all horizons pooled."""


def conformal_offsets(
    truth_BH: NDArray[np.float32], quantiles_BHQ: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what to add to each quantile, (H, Q); 0 at the median.

    For each pair of levels (a, 1 - a) the offset is the (1 - 2a)(1 + 1/n) quantile of
    max(q_a - y, y - q_{1-a}) over forecasts made without the subject; positive widens.

    Source: Romano, Patterson and Candes 2019 (conformalised quantile regression). We differ:
    horizons with few outcomes share pooled offsets.
    """
    observed_BH = ~np.isnan(truth_BH)
    pooled_Q = _offsets(truth_BH[observed_BH], quantiles_BHQ[observed_BH])
    rows = []
    for h in range(truth_BH.shape[1]):
        seen_B = observed_BH[:, h]
        enough = seen_B.sum() >= MINIMUM_OUTCOMES
        rows.append(_offsets(truth_BH[seen_B, h], quantiles_BHQ[seen_B, h]) if enough else pooled_Q)
    return np.stack(rows)


def calibrate(
    quantiles_BHQ: NDArray[np.float64], offsets_HQ: NDArray[np.float64], low: float, high: float
) -> NDArray[np.float64]:
    """Add the offsets; keep the quantiles rising (outward from the median) and inside the scale."""
    shifted = quantiles_BHQ + offsets_HQ
    upper = np.maximum.accumulate(shifted[..., MEDIAN:], axis=-1)
    lower = np.minimum.accumulate(shifted[..., MEDIAN::-1], axis=-1)[..., ::-1]
    joined = np.concatenate([lower[..., :-1], upper], axis=-1)
    return np.asarray(np.clip(joined, low, high), dtype=np.float64)


def _offsets(
    truth_N: NDArray[np.float32], quantiles_NQ: NDArray[np.float64]
) -> NDArray[np.float64]:
    offset_Q = np.zeros(len(QUANTILE_LEVELS))
    if len(truth_N) == 0:
        return offset_Q
    for lower in range(MEDIAN):
        upper = len(QUANTILE_LEVELS) - 1 - lower
        outside_N = np.maximum(quantiles_NQ[:, lower] - truth_N, truth_N - quantiles_NQ[:, upper])
        share = (1 - 2 * QUANTILE_LEVELS[lower]) * (1 + 1 / len(truth_N))
        widening = float(np.quantile(outside_N, min(share, 1.0), method="higher"))
        offset_Q[lower], offset_Q[upper] = -widening, widening
    return offset_Q
