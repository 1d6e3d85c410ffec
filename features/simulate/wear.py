"""On which days a wearable is worn: less with time and on bad days, with gaps, until dropout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.simulate.channels import BAD_DAY_GAP

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """Parameters of wear, set so that 78 % of days are valid at three months, median 90 %
    (verified, Fitbit after stroke, n = 65).

    Parameters
    ----------
    before_days, last_day
        First day of wear before enrolment, and days after it when all have stopped.
    keenness, keenness_spread
        Logit of the chance that a day is worn: mean and SD between people (target).
    daily_decay, weekend_drop, ill_drop
        Its fall a day, on weekends, and with two or more comorbidities (targets).
    outage_chance, outage_days
        Chance a day that an outage begins, and its length [first, last) (target).
    dropout
        Chance to have stopped for good by `last_day`. Assumption.
    worn_hours, worn_hours_spread
        Wear time of a worn day, hours. Assumption.
    """

    before_days: int = 3
    last_day: int = 180
    keenness: float = 3.5
    keenness_spread: float = 2.0
    daily_decay: float = 0.006
    weekend_drop: float = 0.3
    ill_drop: float = 0.4
    outage_chance: float = 0.012
    outage_days: tuple[int, int] = (2, 6)
    dropout: float = 0.2
    worn_hours: float = 17.0
    worn_hours_spread: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worn:
    """Wear of N subjects on D days.

    Parameters
    ----------
    tracked
        Days with a device, worn or not, (N, D).
    valid
        Days worn 10 hours or more, (N, D).
    hours
        Wear time, (N, D).
    badness
        How bad a day was, in SDs, (N, D): worse on days not worn.
    """

    tracked: Flags
    valid: Flags
    hours: Array
    badness: Array


def draw_wear(
    since: Array,
    weekend: Flags,
    ill: Flags,
    shift: Array,
    generator: np.random.Generator,
    wear: Wear,
) -> Worn:
    """Draw wear.

    Parameters
    ----------
    since
        Days since enrolment, (N, D).
    weekend, ill
        (N, D) and (N,).
    shift
        Shift of keenness, (N,).
    """
    shape = since.shape
    keenness = generator.normal(wear.keenness, wear.keenness_spread, shape[0]) + shift
    logit_chance = (
        (keenness - wear.ill_drop * ill)[:, None]
        - wear.daily_decay * np.maximum(since, 0)
        - wear.weekend_drop * weekend
    )
    valid = generator.random(shape) < expit(logit_chance)
    valid &= ~_outages(shape, generator, wear)
    hazard = -np.log1p(-wear.dropout) / wear.last_day
    stopped = generator.exponential(1 / hazard, shape[0])
    tracked = (since >= -wear.before_days) & (since < np.minimum(stopped, wear.last_day)[:, None])
    worn = np.clip(generator.normal(wear.worn_hours, wear.worn_hours_spread, shape), 10, 24)
    some = np.where(generator.random(shape) < 0.3, generator.uniform(0, 9.9, shape), 0.0)
    badness = generator.standard_normal(shape) + np.where(valid, -BAD_DAY_GAP / 2, BAD_DAY_GAP / 2)
    return Worn(
        tracked=tracked,
        valid=valid & tracked,
        hours=np.round(np.where(valid, worn, some), 2).astype(np.float64),
        badness=badness,
    )


def _outages(shape: tuple[int, ...], generator: np.random.Generator, wear: Wear) -> Flags:
    begins = generator.random(shape) < wear.outage_chance
    length = generator.integers(*wear.outage_days, size=shape)
    out = np.zeros(shape, dtype=np.bool_)
    for lag in range(wear.outage_days[1] - 1):
        reaching = begins & (length > lag)
        out[:, lag:] |= reaching[:, : shape[1] - lag]
    return out
