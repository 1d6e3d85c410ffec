"""Draws the daily wearable channels of a shard: what a device would measure on each day.

Letters: N subjects of a shard, D days since onset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.simulate.channels import (
    BAD_DAY_STEPS,
    CHANNELS,
    STEPS,
    Days,
    carried_noise,
    extra_step_noise,
    walked_chance,
)
from features.simulate.scenario import Disparity
from features.simulate.streams import stream

Array = NDArray[np.float64]

EXCHANGE_SHARE = 0.25
"""Share of wearers whose device is exchanged once. Assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """What else a shard's readings depend on.

    Parameters
    ----------
    weekend, badness
        (N, D).
    member
        Membership of the planted group, (N,).
    exchange
        Day of the exchange of the device, or -1, (N,).
    """

    weekend: NDArray[np.bool_]
    badness: Array
    member: NDArray[np.bool_]
    exchange: NDArray[np.int64]


def draw_exchanges(
    enrolment: NDArray[np.int64], last_day: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the day since onset of each exchange of a device, or -1, (N,)."""
    day = enrolment + generator.integers(1, last_day, len(enrolment))
    return np.where(generator.random(len(enrolment)) < EXCHANGE_SHARE, day, -1)


def draw_walked(walk: Array, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Draw on which days a bout of walking was long enough to be measured, (N, D)."""
    return np.asarray(generator.random(walk.shape) < walked_chance(walk))


def draw_daily(
    days: Days, devices: Devices, disparity: Disparity, seed: int, shard: int
) -> dict[str, Array]:
    """Draw every channel on every day, worn or not, (N, D) by code."""
    count, length = days.arm.shape
    exchanged = devices.exchange[:, None]
    after = (exchanged >= 0) & (np.arange(length) >= exchanged)
    daily = {}
    for channel in CHANNELS:
        generator = stream(seed, shard, channel.code)
        offset = channel.between * generator.normal(size=(count, 1))
        change = channel.exchange * generator.normal(size=(count, 1)) * after
        noise = carried_noise(generator.normal(size=(count, length)), channel.carried)
        scaled = channel.mean(days) + offset + change + channel.weekend * devices.weekend
        scaled = scaled + channel.within * noise
        if channel is STEPS:
            own = generator.normal(size=(count, 2))
            lost = np.log(disparity.steps_factor) + disparity.steps_spread * own[:, :1]
            scaled = scaled + lost * devices.member[:, None]
            scaled = scaled + extra_step_noise(days.aid)[:, None] * own[:, 1:]
            scaled = scaled + BAD_DAY_STEPS * devices.badness
        daily[channel.code] = np.round(channel.to_value(scaled), channel.decimals)
    return daily
