"""Two months of wearable days around enrolment, with the gaps that real ones have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from features.simulate.recovery import FM_BEST, Course, Series


@dataclass(frozen=True, slots=True, kw_only=True)
class WearableParameters:
    """Parameters of the daily channels. All are assumptions, chosen near reported ranges.

    Parameters
    ----------
    owner_share
        Share of subjects with a device.
    before_days, after_days
        First and last day of wear around enrolment.
    keenness_mean, keenness_spread, daily_decay, weekend_drop
        Logit of the chance that a day is worn, its fall a day, and its drop on weekends.
    outage_chance
        Chance a day that an outage of 2 to 5 days begins.
    worn_hours, worn_hours_spread
        Wear time of a worn day, hours.
    steps_low, steps_high, steps_spread
        Median daily steps at level 0 and 66, and SD of their logarithm from day to day (inpatients
        from 336 without walking to 4,093 with, community 5,535 in the subacute phase).
    use_ratio_best, use_ratio_spread
        Use ratio at level 66 (healthy 0.95) and its day-to-day SD.
    """

    owner_share: float = 0.85
    before_days: int = 4
    after_days: int = 56
    keenness_mean: float = 2.6
    keenness_spread: float = 1.6
    daily_decay: float = 0.006
    weekend_drop: float = 0.3
    outage_chance: float = 0.02
    worn_hours: float = 17.0
    worn_hours_spread: float = 3.0
    steps_low: float = 700.0
    steps_high: float = 6000.0
    steps_spread: float = 0.35
    use_ratio_best: float = 0.95
    use_ratio_spread: float = 0.08


def wear(
    course: Course,
    enrolment: int,
    generator: np.random.Generator,
    parameters: WearableParameters,
) -> list[Series]:
    """Return a subject's daily channels; empty without a device. An unworn day has no values."""
    if generator.random() >= parameters.owner_share:
        return []
    first = max(0, enrolment - parameters.before_days)
    day = np.arange(first, enrolment + parameters.after_days)
    weekend = (day + int(generator.integers(7))) % 7 >= 5
    worn = _worn(day - first, weekend, generator, parameters)
    hours = np.where(
        worn,
        np.clip(
            generator.normal(parameters.worn_hours, parameters.worn_hours_spread, day.shape), 10, 24
        ),
        0.0,
    )
    share = course.level(day) / FM_BEST
    size = day.shape
    # Weekends lower (Alt Murphy 2019); sleep barely tells recovery (SIESTA 2025).
    median_steps = parameters.steps_low * (parameters.steps_high / parameters.steps_low) ** share
    steps = (
        median_steps
        * np.exp(generator.normal(0, parameters.steps_spread, size))
        * (1 - 0.15 * weekend)
    )
    use = parameters.use_ratio_best * share + generator.normal(0, parameters.use_ratio_spread, size)
    heart = generator.normal(68, 8) - 2 * share + generator.normal(0, 3, size)
    sleep = generator.normal(8.3, 0.8) + generator.normal(0, 1.1, size)
    therapy = np.where(weekend, 0.0, np.round(generator.gamma(4.0, 12.0, size)))
    measured: dict[str, NDArray[np.float64]] = {
        "LOINC//41950-7": np.rint(steps),
        "REHABCAST//ARM_USE_RATIO": np.clip(use, 0, 3),
        "LOINC//40443-4": np.clip(np.rint(heart), 40, 120),
        "REHABCAST//SLEEP": np.clip(sleep, 2, 16),
    }
    return [
        ("REHABCAST//WEAR_TIME", day, hours),
        ("REHABCAST//THERAPY", day, therapy),
        *((code, day[worn], value[worn]) for code, value in measured.items()),
    ]


def _worn(
    since: NDArray[np.int64],
    weekend: NDArray[np.bool_],
    generator: np.random.Generator,
    parameters: WearableParameters,
) -> NDArray[np.bool_]:
    keenness = generator.normal(parameters.keenness_mean, parameters.keenness_spread)
    chance = expit(keenness - parameters.daily_decay * since - parameters.weekend_drop * weekend)
    worn = np.asarray(generator.random(since.shape) < chance, dtype=np.bool_)
    begins = np.flatnonzero(generator.random(since.shape) < parameters.outage_chance)
    lengths = generator.integers(2, 6, len(begins))
    for start, length in zip(begins, lengths, strict=True):
        worn[start : start + length] = False
    return worn
