"""Muscle activity from surface EMG: envelope, median frequency, fatigue, co-contraction.

Filters as SENIAM advises (Hermens 2000, doi:10.1016/S1050-6411(00)00027-4). Amplitudes of two days
compare only if the electrodes were placed alike; median frequency and co-contraction travel better.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import signal as filters

from contracts.cohort import CODE, NUMBER, TIME
from contracts.errors import ContractError
from features.biomarkers.overlaps import SAMPLES
from features.recording import Quantity, Signal

BAND_HZ, ENVELOPE_HZ = (20.0, 450.0), 6.0
WINDOW_S = 1.0
SLOWEST_HZ = 200.0
"""Below this sampling rate the muscle's spectrum is not in the signal."""

ACTIVITY, MEDIAN = "REHABCAST//MUSCLE_ACTIVITY", "REHABCAST//MUSCLE_MEDIAN_FREQUENCY"
FATIGUE, CO_CONTRACTION = "REHABCAST//MUSCLE_FATIGUE", "REHABCAST//CO_CONTRACTION"


def envelope(emg_N: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Return the band-passed, rectified, smoothed signal in its own unit, never below 0."""
    high = min(BAND_HZ[1], 0.45 * rate_hz)
    band = filters.butter(4, (BAND_HZ[0], high), btype="band", fs=rate_hz, output="sos")
    smooth = filters.butter(2, ENVELOPE_HZ, fs=rate_hz, output="sos")
    rectified = np.abs(filters.sosfiltfilt(band, emg_N))
    return np.asarray(np.maximum(filters.sosfiltfilt(smooth, rectified), 0.0))


def median_frequency(emg_N: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Return the frequency (Hz) that halves the power, for each whole second."""
    length = int(WINDOW_S * rate_hz)
    windows = emg_N[: len(emg_N) // length * length].reshape(-1, length)
    frequency_F, power_WF = filters.periodogram(windows, fs=rate_hz, axis=1)
    inside = (frequency_F >= BAND_HZ[0]) & (frequency_F <= BAND_HZ[1])
    share_WF = np.cumsum(power_WF[:, inside], axis=1)
    total_W = share_WF[:, -1:]
    at_W = (share_WF >= total_W / 2).argmax(axis=1)
    return np.where(total_W[:, 0] > 0, frequency_F[inside][at_W], np.nan)


def fatigue_slope(median_W: NDArray[np.float64]) -> float:
    """Return the straight line's slope through the median frequencies, Hz/min."""
    second_W = np.arange(len(median_W), dtype=np.float64) * WINDOW_S
    known = ~np.isnan(median_W)
    if known.sum() < 10:
        return float("nan")
    return float(np.polyfit(second_W[known] / 60, median_W[known], 1)[0])


def co_contraction(one_N: NDArray[np.float64], other_N: NDArray[np.float64]) -> float:
    """Return the common share of two envelopes, 0 none to 1 full.

    Falconer and Winter 1985: twice the area under both over the sum of areas. Each envelope is
    first scaled by its own 99th percentile, because amplitudes of two muscles don't compare.
    """
    scaled = []
    for envelope_N in (one_N, other_N):
        top = np.percentile(envelope_N, 99)
        scaled.append(envelope_N / top if top > 0 else np.zeros_like(envelope_N))
    total = float(sum(part.sum() for part in scaled))
    return float(2 * np.minimum(*scaled).sum() / total) if total > 0 else float("nan")


def daily_muscle(signal: Signal) -> pd.DataFrame:
    """Return a day's means over its channels; co-contraction of the first two channels.

    Returns
    -------
    Rows of time (the day), code, value and number of samples. The unit is a recording: of several
    on one day the longest counts.

    Raises
    ------
    ContractError
        The sampling rate is too low.
    """
    rate = 1 / signal.epoch_s
    if signal.quantity is not Quantity.MUSCLE or rate < SLOWEST_HZ:
        raise ContractError(
            f"muscle activity at {rate:g} Hz, expected {SLOWEST_HZ:g} Hz or more",
            "check rate_hz in the map, or record at a higher rate",
        )
    day_N = signal.time_N.astype("datetime64[D]")
    rows = []
    for day in np.unique(day_N):
        emg_NC = signal.values_NC[day_N == day].astype(np.float64)
        if len(emg_NC) < rate:
            continue
        channels = emg_NC.T
        envelopes = [envelope(emg_N, rate) for emg_N in channels]
        medians = [median_frequency(emg_N, rate) for emg_N in channels]
        values = {
            ACTIVITY: float(np.mean([e.mean() for e in envelopes])),
            MEDIAN: float(np.nanmean(np.concatenate(medians))),
            FATIGUE: float(np.mean([fatigue_slope(m) for m in medians])),
        }
        if len(envelopes) >= 2:
            values[CO_CONTRACTION] = co_contraction(envelopes[0], envelopes[1])
        rows += [
            (pd.Timestamp(day), code, v, len(emg_NC))
            for code, v in values.items()
            if np.isfinite(v)
        ]
    return pd.DataFrame(rows, columns=[TIME, CODE, NUMBER, SAMPLES])
