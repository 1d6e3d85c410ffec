"""Daily wearable channels: how each depends on the hidden state, person, day and device.

A channel is normal on its transformed scale: the hidden reading, plus the person's own offset, a
change of offset where the device was exchanged, a weekend shift, and noise that carries over from
one day to the next. So a recorded stretch of days has a likelihood in closed form, whatever days
are missing.

Letters: N subjects or particles, D days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from features.published_recovery import BEST_SCORE
from features.simulate.recovery import speed

Array = NDArray[np.float64]

USE_SLOWNESS = 0.60
"""Use in daily life plateaus before impairment: day 24 against 32 (verified, Lang 2021); the factor
was set by the realism gate."""

AIDS = ("none", "cane", "rollator", "wheelchair")
BAD_DAY_GAP = 0.35
"""SDs between the mean badness of worn and unworn days. With equal spread on both, this is the
same as a logistic chance of wear that falls by 0.35 per SD of badness (target)."""
BAD_DAY_STEPS = -0.15
"""Log steps lost per SD of a day's badness. Assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The hidden state on many days.

    Parameters
    ----------
    latent
        (N, 9).
    arm, quick_arm
        Arm level in points, and with the time constant of daily use, (N, D).
    walk
        Walking ability, (N, D).
    aid
        Index of `AIDS`, (N,) or (1,).
    """

    latent: Array
    arm: Array
    quick_arm: Array
    walk: Array
    aid: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One daily channel.

    Parameters
    ----------
    code
        Code of the vocabulary.
    reads
        Reading on the transformed scale, (N, D); None for a channel that is null by design.
    middle
        Mean of a null channel on the transformed scale.
    to_value, to_scale
        From the transformed scale to the recorded unit, and back.
    between, within, carried
        SD of the person's offset, SD of a day's noise, and its correlation from day to day.
    weekend
        Shift on Saturdays and Sundays; steps and use are lower (verified, Alt Murphy 2019).
    exchange
        SD of the change of offset when a device is exchanged (target: 15 %).
    decimals
        Decimals recorded.
    """

    code: str
    reads: Callable[[Days], Array] | None
    middle: float = 0.0
    to_value: Callable[[Array], Array]
    to_scale: Callable[[Array], Array]
    between: float
    within: float
    carried: float = 0.3
    weekend: float = 0.0
    exchange: float = 0.0
    decimals: int

    def __reduce__(self) -> tuple[Callable[[str], Channel], tuple[str]]:
        # Its functions can't be sent to a worker process, its code can.
        return _channel_of, (self.code,)

    def mean(self, days: Days) -> Array:
        """Return the expected transformed reading, (N, D)."""
        return np.full_like(days.arm, self.middle) if self.reads is None else self.reads(days)


def device_gain(latent: Array, ability: Array, aid: NDArray[np.int64]) -> Array:
    """Return the share of steps that a wrist device counts, (N, D).

    It falls at slow speeds, where many are missed below 0.5 m/s, and with a rollator, whose arms
    don't swing: both verified as directions (Rozanski 2018), the numbers are assumptions.
    """
    counted = 0.3 + 0.7 * expit((speed(latent, ability) - 0.45) / 0.12)
    return np.asarray(counted * np.where(aid == AIDS.index("rollator"), 0.7, 1.0)[:, None])


def extra_step_noise(aid: NDArray[np.int64]) -> Array:
    """Return the extra between-person SD of log steps by aid, (N,) (assumption)."""
    return np.where(aid == AIDS.index("rollator"), 0.5, 0.0)


def _steps(days: Days) -> Array:
    true = 5.9 + 3.2 * days.walk
    return np.asarray(true + np.log(device_gain(days.latent, days.walk, days.aid)))


def _shape(array: Array) -> Array:
    return np.asarray(array, dtype=np.float64)


def _positive(array: Array) -> Array:
    return _shape(np.log(np.maximum(array, 0.5)))


USE_RATIO = "REHABCAST//ARM_USE_RATIO"
STEPS = Channel(
    code="LOINC//41950-7",
    reads=_steps,
    to_value=lambda scaled: np.minimum(np.exp(scaled), 60_000),
    to_scale=_positive,
    between=0.45,
    within=0.40,
    weekend=-0.15,
    exchange=0.15,
    decimals=0,
)

CHANNELS: tuple[Channel, ...] = (
    STEPS,
    Channel(
        code=USE_RATIO,
        reads=lambda days: np.log(0.05 + 0.90 * days.quick_arm / BEST_SCORE),
        to_value=lambda scaled: np.minimum(np.exp(scaled), 3.0),
        to_scale=np.log,
        between=0.20,
        within=0.20,
        weekend=-0.06,
        decimals=4,
    ),
    Channel(
        code="REHABCAST//CADENCE",
        reads=lambda days: 45 + 60 * days.walk,
        to_value=_shape,
        to_scale=_shape,
        between=8.0,
        within=5.0,
        decimals=1,
    ),
    Channel(
        code="REHABCAST//GAIT_SPEED",
        reads=lambda days: np.log(0.1 + 0.9 * speed(days.latent, days.walk)),
        to_value=np.exp,
        to_scale=np.log,
        between=0.15,
        within=0.12,
        decimals=3,
    ),
    # Ezeugwu 2017: 18 % of waking time standing and 7 % stepping.
    Channel(
        code="REHABCAST//UPRIGHT_SHARE",
        reads=lambda days: logit(0.08 + 0.27 * days.walk),
        to_value=expit,
        to_scale=logit,
        between=0.35,
        within=0.30,
        weekend=-0.10,
        decimals=4,
    ),
    Channel(
        code="REHABCAST//SHOULDER_ELEVATION",
        reads=lambda days: np.log(20 + 80 * days.arm / BEST_SCORE),
        to_value=lambda scaled: np.minimum(np.exp(scaled), 180),
        to_scale=np.log,
        between=0.15,
        within=0.12,
        decimals=1,
    ),
    # Banks 2017: no clear difference from controls; a weak effect, much variance between people.
    Channel(
        code="REHABCAST//CO_CONTRACTION",
        reads=lambda days: logit(0.35) - 0.15 * days.arm / BEST_SCORE,
        to_value=expit,
        to_scale=logit,
        between=0.60,
        within=0.25,
        decimals=4,
    ),
    Channel(
        code="LOINC//40443-4",
        reads=lambda days: 69 - 2.0 * days.walk,
        to_value=_shape,
        to_scale=_shape,
        between=8.0,
        within=3.0,
        carried=0.5,
        decimals=0,
    ),
    Channel(
        code="REHABCAST//RMSSD",
        reads=lambda days: np.log(23.0) + 0.10 * days.walk,
        to_value=np.exp,
        to_scale=np.log,
        between=0.40,
        within=0.15,
        decimals=1,
    ),
    # Null by design: sleep barely predicts recovery (SIESTA 2025). Explanations are judged on it.
    Channel(
        code="REHABCAST//SLEEP",
        reads=None,
        middle=8.5,
        to_value=lambda hours: np.clip(hours, 1, 18),
        to_scale=_shape,
        between=0.9,
        within=1.1,
        decimals=2,
    ),
)
WALKING_CHANNELS = ("REHABCAST//CADENCE", "REHABCAST//GAIT_SPEED")
"""Channels that exist only on days with a bout of walking."""
NULL_CHANNELS = tuple(channel.code for channel in CHANNELS if channel.reads is None)


def walked_chance(ability: Array) -> Array:
    """Return the chance that a day has a bout of walking long enough to be measured. Assumption."""
    return np.asarray(expit((ability - 0.30) / 0.04), dtype=np.float64)


def carried_noise(normal: Array, carried: float) -> Array:
    """Turn standard normal draws (N, D) into a stationary series of unit variance, (N, D).

    The correlation of two days is `carried` to the power of their distance.
    """
    series = np.empty_like(normal)
    series[:, 0] = normal[:, 0]
    fresh = np.sqrt(1 - carried**2)
    for day in range(1, normal.shape[1]):
        series[:, day] = carried * series[:, day - 1] + fresh * normal[:, day]
    return series


def _channel_of(code: str) -> Channel:
    return next(channel for channel in CHANNELS if channel.code == code)
