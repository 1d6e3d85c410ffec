"""The gain by therapy in closed form: made by hours, limited, forgotten without them.

    dG/dt = -forgetting G + rate s(D) (largest - G),    s(D) = 1 - exp(-D / half dose)

D are hours of therapy a week, constant within a part of a plan, so G runs toward

    rate s largest / (forgetting + rate s)    by    exp(-(forgetting + rate s) t).

It acts on the level itself: level under a plan = sigmoid(logit level + G of the plan - G if therapy
goes on as it was). So a plan that is what was done anyway changes nothing, the level never leaves
its scale, and more hours are never worse. The form is that of the state-space models of training
and forgetting (Schweighofer 2023) with a limit and a dose that saturates.

Letters: N plans, S parts of a plan, H days ahead, I draws of what is not known of the person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

DAYS_A_WEEK = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gains:
    """What is not known of how a person gains, in draws.

    Parameters
    ----------
    largest_I, rate_I, forgetting_I
        Largest gain in logits; how fast it is made at most and how fast it is forgotten, per day.
    half_dose_I
        Hours a week with 63 % of the largest effect.
    """

    largest_I: Array
    rate_I: Array
    forgetting_I: Array
    half_dose_I: Array

    def first_slope_I(self) -> Array:
        """Return rate times largest gain: logits a day, all of it that trials can tell."""
        return np.asarray(self.rate_I * self.largest_I)

    def drive(self, hours: Array) -> Array:
        """Return how fast gain is made under so many hours a week, (..., I) of (..., 1)."""
        return np.asarray(self.rate_I * (1 - np.exp(-hours / self.half_dose_I)))

    def after(self, start_I: Array, hours: Array, days: Array) -> Array:
        """Return the gain after some days of the same therapy, (..., I).

        Parameters
        ----------
        start_I
            Gain at the beginning, (..., I).
        hours, days
            Hours a week and length, (..., 1).
        """
        drive = self.drive(hours)
        speed = self.forgetting_I + drive
        toward = drive * self.largest_I / speed
        # In this form no day changes nothing at all, whatever other plans are computed beside it.
        return np.asarray(start_I + (toward - start_I) * (1 - np.exp(-speed * days)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Doses:
    """Plans as arrays; the last part of each goes on for ever.

    Parameters
    ----------
    hours_NS
        Hours of therapy a week.
    end_NS
        Day ahead on which each part ends, rising along S, infinite at the last. Parts of no length
        fill plans up that have fewer.
    """

    hours_NS: NDArray[np.float64]
    end_NS: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.hours_NS)

    def take(self, rows: slice) -> Doses:
        """Return some of the plans."""
        return Doses(hours_NS=self.hours_NS[rows], end_NS=self.end_NS[rows])

    def stretches(self, days_H: Array) -> Iterator[tuple[int, NDArray[np.float64], Array]]:
        """Yield the stretches of the same therapy up to each day ahead.

        Yields
        ------
        Index of the day, and of the plans the hours a week and the length in days, (N,); in the
        order of time, for each day from the one before it.
        """
        first, last = 0.0, 0.0
        for h, day in enumerate(days_H):
            first, last = last, float(day)
            start_N = np.full(len(self), first)
            for hours_N, end_N in zip(self.hours_NS.T, self.end_NS.T, strict=True):
                stop_N = np.clip(end_N, start_N, last)
                if (stop_N > start_N).any():
                    yield h, hours_N, stop_N - start_N
                start_N = stop_N


def gains_at(gains: Gains, start_I: Array, doses: Doses, days_H: Array) -> Array:
    """Return the gain of each plan on each day ahead, (N, H, I), in logits.

    Parameters
    ----------
    start_I
        Gain today.
    days_H
        Days ahead, rising.
    """
    kind = gains.largest_I.dtype
    gain_NI = np.broadcast_to(start_I, (len(doses), len(start_I))).astype(kind)
    gain_NHI = np.empty((len(doses), len(days_H), len(start_I)), dtype=kind)
    done = 0
    for h, hours_N, length_N in doses.stretches(days_H):
        gain_NHI[:, done:h] = gain_NI[:, None]
        done = h
        hours_N1, length_N1 = (x[:, None].astype(kind) for x in (hours_N, length_N))
        gain_NI = gains.after(gain_NI, hours_N1, length_N1)
    gain_NHI[:, done:] = gain_NI[:, None]
    return gain_NHI


def gained_before(gains: Gains, hours: float, days_I: Array) -> Array:
    """Return the gain today of therapy that went on for some days, from none, (I,)."""
    kind = gains.largest_I.dtype
    return gains.after(np.zeros_like(gains.largest_I), np.asarray([hours], dtype=kind), days_I)


def raised(level: Array, gain: Array) -> Array:
    """Return sigmoid(logit level + gain): exactly the level where the gain is 0.

    Safe at both ends of the scale, where a logit is infinite.
    """
    odds = level * np.exp(gain)
    return np.asarray(level + (odds - level) * (1 - level) / (1 - level + odds))
