"""What a device's wall clock went through: daylight saving, being set anew, and time that is lost.

A recording is a row of samples whose times should go on by its epoch. A jump of just one hour on a
night on which clocks change is daylight saving: its day has 23 or 25 hours. A jump to another year
is a clock that lost its date: what follows can't be placed and is left out. A step back is a clock
that was set: the minutes told twice are kept once, the later ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DAYLIGHT_SAVING_HOURS = (0, 4)
"""Clocks change between midnight and four in the zones we know."""

LOST_DATE_DAYS = 400
"""A gap longer than this inside one recording is no gap: the clock lost its date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """One irregular step of a clock.

    Parameters
    ----------
    at
        The last time before it.
    minutes
        By how much more than one epoch the clock went on; below 0 it went back.
    kind
        `daylight saving`, `gap`, `set back` or `date lost`.
    """

    at: pd.Timestamp
    minutes: float
    kind: str


def jumps(time_N: NDArray[np.datetime64], epoch_s: float) -> list[Jump]:
    """Return the jumps of one recording's clock, in the order in which it was recorded."""
    seconds_N: NDArray[np.float64] = time_N.astype("datetime64[ns]").astype(np.int64) / 1e9
    step = np.diff(seconds_N) - epoch_s
    found = []
    for place in np.flatnonzero(np.abs(step) > max(2 * epoch_s, 1.0)):
        at, minutes = pd.Timestamp(time_N[place]), float(step[place] / 60)
        found.append(Jump(at=at, minutes=minutes, kind=_kind(at, minutes, epoch_s)))
    return found


def _kind(at: pd.Timestamp, minutes: float, epoch_s: float) -> str:
    if abs(minutes) > LOST_DATE_DAYS * 1440:
        return "date lost"
    if abs(abs(minutes) - 60) <= epoch_s / 60 and _may_change(at):
        return "daylight saving"
    return "set back" if minutes < 0 else "gap"


def _may_change(at: pd.Timestamp) -> bool:
    """Tell whether some zone changes its clocks at about this time: a Sunday before dawn."""
    low, high = DAYLIGHT_SAVING_HOURS
    soon = at + pd.Timedelta(minutes=1)
    return soon.day_of_week == 6 and low <= soon.hour < high


def to_wall_clock(utc_N: NDArray[np.datetime64], zone: str) -> NDArray[np.datetime64]:
    """Turn times in UTC into the naive wall clock of a zone.

    Raises
    ------
    ZoneInfoNotFoundError
        There is no such zone.
    """
    local = pd.DatetimeIndex(utc_N).tz_localize("UTC").tz_convert(ZoneInfo(zone))
    return local.tz_localize(None).to_numpy()


def told_once(time_N: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Tell which samples to keep of a clock that went back: of a time told twice, the later one."""
    ahead_N = np.minimum.accumulate(time_N.astype("datetime64[ns]").astype(np.int64)[::-1])[::-1]
    later_N = np.append(ahead_N[1:], np.iinfo(np.int64).max)
    return np.asarray(time_N.astype("datetime64[ns]").astype(np.int64) < later_N)


def placed_rows(time_N: NDArray[np.datetime64], epoch_s: float) -> NDArray[np.bool_]:
    """Tell which samples can be placed: those on the longest stretch without a lost date."""
    parts = np.zeros(len(time_N), dtype=np.int64)
    for jump in jumps(time_N, epoch_s):
        if jump.kind == "date lost":
            parts[np.flatnonzero(time_N == np.datetime64(jump.at))[-1] + 1 :] += 1
    return np.asarray(parts == np.bincount(parts).argmax())
