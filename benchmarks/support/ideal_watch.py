"""The best that can be done about a change of a daily value: what no monitoring can beat.

A test that knows what nobody knows of a patient: the level before, the noise of days and how it is
carried from one to the next, the size of the change; everything but the day on which it begins. It
is told when the likelihood ratio of a change on some earlier day reaches a limit (Page 1955; no
other test that is told falsely as seldom finds such a change sooner in the worst case, Moustakides
1986, doi:10.1214/aos/1176350164). The days are those on which SIMULATED people wore their device.

Letters: P people, D days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.cohort import WEAR_TIME
from features.simulate.channels import CHANNELS, STEPS, USE_RATIO, carried_noise
from serving.monitoring.series import WORN_HOURS
from support.monitored import DAYS_A_MONTH, HEART, SLEEP, Person

Array = NDArray[np.float64]

CHANGES = {STEPS.code: np.log(0.4), USE_RATIO: np.log(2 / 3), SLEEP: -2.5, HEART: 10.0}
"""The changes of `support.monitored.PLANTS` on the scale on which days differ alike."""

EITHER = {SLEEP, HEART}
"""Codes of which a rise is told as well as a fall."""

QUIET_DAYS = 7
"""An alert that comes back within a week is the same alert."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Days of people on which a device was worn long enough, (P, D), and those that are judged."""

    worn_PD: NDArray[np.bool_]
    judged_PD: NDArray[np.bool_]
    planted_P: NDArray[np.int64]


def watched(people: Sequence[Person], planted: Sequence[int]) -> Watched:
    """Return the days of people, with the day on which a change is planted in each."""
    hours_PD = np.array([np.nan_to_num(person.daily[WEAR_TIME]) for person in people])
    judged_PD = np.zeros(hours_PD.shape, dtype=np.bool_)
    for row, person in enumerate(people):
        judged_PD[row, person.days().start : person.days().stop] = True
    return Watched(hours_PD >= WORN_HOURS, judged_PD, np.array(planted))


def found_at_best(code: str, days: Watched, followed_P: NDArray[np.bool_], rate: float, seed: int,
                  draws: int) -> tuple[float, float]:  # fmt: skip
    """Return in which share of people the change is told within a week, and within two.

    Parameters
    ----------
    followed_P
        In whom it is planted.
    rate
        False alerts a patient and month, with nothing planted, at which it is told.
    draws
        How often the noise of everybody is drawn.
    """
    channel = next(each for each in CHANNELS if each.code == code)
    delta = CHANGES[code] / channel.within
    signs = (-1, 1) if code in EITHER else (int(np.sign(delta)),)
    noises = [
        carried_noise(
            np.random.default_rng([seed, draw]).normal(size=days.worn_PD.shape), channel.carried
        )
        for draw in range(draws)
    ]
    quiet = [
        _highest(noise, days.worn_PD, abs(delta), channel.carried, signs)[0] for noise in noises
    ]
    limit = _limit(quiet, days.judged_PD, rate)
    day_D = np.arange(days.worn_PD.shape[1])
    after_PD = day_D >= days.planted_P[:, None]
    within = {7: [0], 14: [0]}
    for noise in noises:
        size_PD, since_PD = _highest(
            noise + delta * after_PD, days.worn_PD, abs(delta), channel.carried, signs
        )
        told_PD = (size_PD >= limit) & (since_PD >= days.planted_P[:, None] - 3)
        for length, count in within.items():
            soon_PD = after_PD & (day_D < days.planted_P[:, None] + length)
            count.append(int((told_PD & soon_PD)[followed_P].any(axis=1).sum()))
    everybody = draws * int(followed_P.sum())
    return sum(within[7]) / everybody, sum(within[14]) / everybody


def _highest(
    noise_PD: Array, worn_PD: NDArray[np.bool_], delta: float, carried: float, signs: Sequence[int]
) -> tuple[Array, NDArray[np.int64]]:
    """Return the log likelihood ratio of the likeliest first day of a change, and that day."""
    people, length = noise_PD.shape
    best_PD, since_PD = np.full(noise_PD.shape, -np.inf), np.zeros(noise_PD.shape, dtype=np.int64)
    for sign in signs:
        size_P, first_P = np.full(people, -np.inf), np.zeros(people, dtype=np.int64)
        last_P, value_P = np.full(people, -1), np.zeros(people)
        for day in range(length):
            worn_P = worn_PD[:, day]
            kept_P = np.where(last_P >= 0, carried ** (day - last_P).astype(float), 0.0)
            spread_P = np.sqrt(1 - kept_P**2)
            fresh_P = sign * (noise_PD[:, day] - kept_P * value_P) / spread_P
            begins_P, goes_on_P = delta / spread_P, delta * (1 - kept_P) / spread_P
            new_P = begins_P * fresh_P - begins_P**2 / 2
            on_P = size_P + goes_on_P * fresh_P - goes_on_P**2 / 2
            first_P = np.where(worn_P & (new_P >= on_P), day, first_P)
            size_P = np.where(worn_P, np.maximum(new_P, on_P), size_P)
            last_P = np.where(worn_P, day, last_P)
            value_P = np.where(worn_P, noise_PD[:, day], value_P)
            higher_P = size_P > best_PD[:, day]
            best_PD[higher_P, day] = size_P[higher_P]
            since_PD[higher_P, day] = first_P[higher_P]
    return best_PD, since_PD


def _limit(sizes: Sequence[Array], judged_PD: NDArray[np.bool_], rate: float) -> float:
    """Return the smallest limit at which alerts begin no more often than the rate."""
    months = len(sizes) * judged_PD.sum() / DAYS_A_MONTH
    for limit in np.arange(1.0, 15.0, 0.05):
        begun = 0
        for size_PD in sizes:
            person_N, day_N = np.nonzero((size_PD >= limit) & judged_PD)
            again_N = (np.diff(person_N) == 0) & (np.diff(day_N) <= QUIET_DAYS)
            begun += len(person_N) - int(again_N.sum())
        if begun / months <= rate:
            return float(limit)
    raise AssertionError("no limit keeps the rate")
