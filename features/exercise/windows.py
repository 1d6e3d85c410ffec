"""Windows of a set, and the features by which an exercise is recognised.

Channels are acceleration, and with a gyroscope rotation, the angles about its axes (integrated,
without slow drift) and the rotation about the vertical. Beside the shares of random kernels, which
know nothing of levels, each window has moments of its channels: how the limb is held.

Letters: W windows, T samples, C channels, F features.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from features.exercise.motion import RATE_HZ

Array = NDArray[np.float32]

SECONDS, HOP_SECONDS = 4.0, 2.0
SAMPLES, HOP = int(SECONDS * RATE_HZ), int(HOP_SECONDS * RATE_HZ)
DEG_A_UNIT = 115.0
"""Rotation is scaled so that it is of the size of acceleration in g: two radians a second."""

GRAVITY_HZ, DRIFT_HZ = 0.5, 0.15


def channels(values_T6: Array, *, with_rotation: bool) -> Array:
    """Return the channels of a set in the frame of a right wrist, (T, C)."""
    if not with_rotation:
        return values_T6[:, :3]
    acceleration_T3, rotation_T3 = values_T6[:, :3], values_T6[:, 3:] / DEG_A_UNIT
    pull_T3 = slow(acceleration_T3, GRAVITY_HZ)
    up_T3 = pull_T3 / np.maximum(np.linalg.norm(pull_T3, axis=1, keepdims=True), 1e-6)
    angle_T3 = np.cumsum(rotation_T3, axis=0) * 2 / RATE_HZ
    angle_T3 = angle_T3 - slow(angle_T3, DRIFT_HZ)
    about_up_T1 = (rotation_T3 * up_T3).sum(axis=1, keepdims=True)
    return np.hstack([acceleration_T3, rotation_T3, angle_T3, about_up_T1]).astype(np.float32)


def windows(channel_TC: Array, hop: int = HOP) -> Array:
    """Return the windows, (W, C, T); a set that is shorter than one is repeated to fill it."""
    if len(channel_TC) < SAMPLES:
        channel_TC = np.tile(channel_TC, (-(-SAMPLES // max(len(channel_TC), 1)), 1))[:SAMPLES]
    return np.lib.stride_tricks.sliding_window_view(channel_TC, SAMPLES, axis=0)[::hop].astype(
        np.float32
    )


def moments(window_WCT: Array) -> Array:
    """Return level, spread, quantiles, skewness and correlations of the channels, (W, F)."""
    level_WC = window_WCT.mean(axis=2)
    off_WCT = window_WCT - level_WC[:, :, None]
    shared_WCC = off_WCT @ off_WCT.transpose(0, 2, 1) / window_WCT.shape[2]
    spread_WC = np.sqrt(np.diagonal(shared_WCC, axis1=1, axis2=2)) + 1e-3
    upper = np.triu_indices(window_WCT.shape[1], 1)
    correlation_WP = (shared_WCC / spread_WC[:, :, None] / spread_WC[:, None, :])[:, *upper]
    quantile_WQ = np.quantile(window_WCT, [0.1, 0.5, 0.9], axis=2).transpose(1, 2, 0)
    skew_WC = (off_WCT**3).mean(axis=2) / spread_WC**3
    parts = (
        level_WC, spread_WC, np.log(spread_WC), quantile_WQ.reshape(len(window_WCT), -1),
        correlation_WP, skew_WC,
    )  # fmt: skip
    return np.concatenate(parts, axis=1).astype(np.float32)


def slow(values_TC: NDArray[np.floating], below_hz: float) -> NDArray[np.float64]:
    """Return what changes more slowly than a frequency, without delay."""
    reach = min(len(values_TC) - 1, int(2 * RATE_HZ / below_hz))
    return np.asarray(sosfiltfilt(_low_pass(below_hz), values_TC, axis=0, padlen=max(reach, 0)))


@cache
def _low_pass(below_hz: float) -> NDArray[np.float64]:
    return np.asarray(butter(2, below_hz, fs=RATE_HZ, output="sos"))
