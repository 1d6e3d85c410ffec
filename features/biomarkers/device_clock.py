"""Irregularities of a device's wall clock: daylight saving, being set back, and a lost date.

The times of a recording's samples should advance by its epoch. A jump of just one hour on a night
on which clocks change is daylight saving: its day has 23 or 25 hours. A jump to another year is a
clock that lost its date: what follows can't be dated and is left out. A step back is a clock that
was set back: of times that occur twice the later ones are kept. Where what follows a step back is
the same as before, nobody set the clock: the file holds the recording twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DAYLIGHT_SAVING_HOURS = (0, 4)
"""Clocks change between midnight and four o'clock in all zones that we know of."""

LOST_DATE_DAYS = 400
"""A longer gap inside one recording is not a gap: the clock lost its date."""

JITTER_NS = 1_000_000_000
"""A smaller step back is none of the clock: blocks of raw samples overlap by some milliseconds."""

MOST_STRETCHES = 1000
"""A clock that steps back more often is no clock, and its samples are in no order."""


class JumpKind(StrEnum):
    """Why the times of a recording jump."""

    DAYLIGHT_SAVING = "daylight saving"
    GAP = "gap"
    SET_BACK = "set back"
    DATE_LOST = "date lost"
    REPEATED = "recorded twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """One irregular step of a clock.

    Parameters
    ----------
    at
        The last time before it.
    minutes
        By how much more than one epoch the clock advanced; below 0 it went back.
    kind
        The likely cause.
    row
        Number of the sample before it.
    """

    at: pd.Timestamp
    minutes: float
    kind: JumpKind
    row: int


def jumps(
    time_N: NDArray[np.datetime64],
    epoch_s: float,
    values_NC: NDArray[np.float32] | None = None,
) -> list[Jump]:
    """Return the jumps of one recording's clock, in the order in which it was recorded.

    Parameters
    ----------
    values_NC
        What was recorded; with it, a step back to a repetition is recognised.
    """
    ns_N = time_N.astype("datetime64[ns]").astype(np.int64)
    step = np.diff(ns_N) / 1e9 - epoch_s
    irregular = []
    for n in np.flatnonzero(np.abs(step) > max(2 * epoch_s, 1.0)):
        at, minutes = pd.Timestamp(time_N[n]), float(step[n] / 60)
        kind = _kind(at, minutes, epoch_s)
        if minutes < 0 and values_NC is not None and _repeats(ns_N, values_NC, int(n) + 1, epoch_s):
            kind = JumpKind.REPEATED
        irregular.append(Jump(at=at, minutes=minutes, kind=kind, row=int(n)))
    return irregular


def _repeats(
    ns_N: NDArray[np.int64], values_NC: NDArray[np.float32], start: int, epoch_s: float
) -> bool:
    """Return whether what was recorded from `start` on is what stands there before it."""
    at = ns_N[start]
    same_time = np.abs(ns_N[:start] - at) <= 0.5e9 * epoch_s
    if not same_time.any():
        return False
    first = int(np.flatnonzero(same_time)[-1])
    length = min(start - first, len(ns_N) - start)
    before, after = values_NC[first : first + length], values_NC[start : start + length]
    return bool(np.ptp(after) > 0) and np.array_equal(before, after, equal_nan=True)


def _kind(at: pd.Timestamp, minutes: float, epoch_s: float) -> JumpKind:
    if abs(minutes) > LOST_DATE_DAYS * 1440:
        return JumpKind.DATE_LOST
    if abs(abs(minutes) - 60) <= epoch_s / 60 and _may_change(at):
        return JumpKind.DAYLIGHT_SAVING
    return JumpKind.SET_BACK if minutes < 0 else JumpKind.GAP


def _may_change(at: pd.Timestamp) -> bool:
    """Return whether some zone changes its clocks at about this time: a Sunday before dawn."""
    low, high = DAYLIGHT_SAVING_HOURS
    soon = at + pd.Timedelta(minutes=1)
    return soon.day_of_week == 6 and low <= soon.hour < high


def last_of_repeated_times(time_N: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Return which samples of a clock that went back to keep: of a repeated time the last one.

    Times between two steps back are a stretch; what a later stretch covers is repeated, what lies
    before and after it is not.
    """
    ns_N = time_N.astype("datetime64[ns]").astype(np.int64)
    step = np.diff(ns_N)
    if step.size and step.min() > -JITTER_NS:
        ahead_N = np.minimum.accumulate(ns_N[::-1])[::-1]
        return np.append(ns_N[:-1] < ahead_N[1:], True)
    back = np.flatnonzero(step <= 0) + 1
    kept = np.ones(len(ns_N), dtype=np.bool_)
    if len(back) > MOST_STRETCHES:
        return last_of_equal_times(time_N)
    bounds = np.concatenate([[0], back, [len(ns_N)]])
    covered: list[tuple[int, int]] = []
    for start, end in zip(bounds[-2::-1], bounds[:0:-1], strict=True):
        stretch = ns_N[start:end]
        for low, high in covered:
            kept[start:end] &= (stretch < low) | (stretch > high)
        covered.append((int(stretch[0]), int(stretch[-1])))
    return kept


def last_of_equal_times(time_N: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Return the last sample of each time, for samples in any order."""
    _, last = np.unique(time_N[::-1], return_index=True)
    kept = np.zeros(len(time_N), dtype=np.bool_)
    kept[len(time_N) - 1 - last] = True
    return kept


def rows_with_known_date(time_N: NDArray[np.datetime64], found: list[Jump]) -> NDArray[np.bool_]:
    """Return which samples can be dated: those on the longest stretch without a lost date.

    Parameters
    ----------
    found
        The jumps of these times.
    """
    parts = np.zeros(len(time_N), dtype=np.int64)
    for jump in found:
        if jump.kind is JumpKind.DATE_LOST:
            parts[jump.row + 1 :] += 1
    return np.asarray(parts == np.bincount(parts).argmax())
