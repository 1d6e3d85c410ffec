"""Intensity of movement: ENMO, mean amplitude deviation, and ActiGraph-like counts.

The first two are kept by minute for every raw recording (`epochs`). Counts of raw data are computed
by ActiGraph's own `agcounts` (extra `signals`), hour by hour, as it needs 2 GB for a whole day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ContractError

RATES_HZ = (30, 40, 50, 60, 70, 80, 90, 100)
"""Sampling rates that the published counts are defined for (Neishabouri 2022)."""

OVERLAP_S = 60
"""The band-pass of the counts forgets its start within this time."""


def magnitude(acceleration_NC: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the magnitude of each sample's acceleration, g, gravity included."""
    square_N = np.einsum("nc,nc->n", acceleration_NC, acceleration_NC, dtype=np.float64)
    return np.asarray(np.sqrt(square_N))


def enmo(magnitude_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the acceleration above gravity of each sample, g, never below 0 (van Hees 2013)."""
    return np.asarray(np.maximum(magnitude_N - 1.0, 0.0))


def amplitude_deviation(
    magnitude_N: NDArray[np.float64], start_E: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how far each sample lies from the mean of its epoch, g.

    Its mean over an epoch is the mean amplitude deviation (MAD). An offset of the sensor shifts
    ENMO but not the MAD.

    Source: Vaha-Ypya et al. 2015, who take epochs of 5 s.

    Parameters
    ----------
    start_E
        Place of each epoch's first sample.
    """
    count_E = np.diff(np.append(start_E, len(magnitude_N)))
    mean_E = np.add.reduceat(magnitude_N, start_E) / count_E
    return np.abs(magnitude_N - np.repeat(mean_E, count_E))


def actigraph_counts(
    acceleration_NC: NDArray[np.float32], rate_hz: int, epoch_s: int = 60
) -> NDArray[np.int64]:
    """Return ActiGraph counts of each axis by epoch (Neishabouri 2022).

    Raises
    ------
    ContractError
        A rate that counts are not defined for, or the extra `signals` is not installed.
    """
    if rate_hz not in RATES_HZ:
        raise ContractError(
            f"counts are not defined at {rate_hz} Hz",
            f"resample to one of {', '.join(map(str, RATES_HZ))} Hz",
        )
    try:
        from agcounts.extract import get_counts
    except ImportError as error:
        raise ContractError(
            "ActiGraph counts need agcounts, which is not installed",
            "pip install 'rehabcast[signals]'",
        ) from error
    hour, lead = 3600 * rate_hz, OVERLAP_S * rate_hz
    parts = []
    for start in range(0, len(acceleration_NC), hour):
        before = min(lead, start)
        piece = acceleration_NC[start - before : start + hour].astype(np.float64)
        counts = np.asarray(get_counts(piece, freq=rate_hz, epoch=epoch_s))
        parts.append(counts[before // rate_hz // epoch_s :])
    return np.concatenate(parts) if parts else np.empty((0, 3), dtype=np.int64)
