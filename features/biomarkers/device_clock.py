"""Irregularities of a device's wall clock: daylight saving, being set back, and a lost date.

The times of a recording's samples should advance by its epoch. A jump of just one hour on a night
on which clocks change is daylight saving: its day has 23 or 25 hours. A jump to another year is a
clock that lost its date: what follows can't be dated and is left out. A step back is a clock that
was set back: of minutes that occur twice the later ones are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DAYLIGHT_SAVING_HOURS = (0, 4)
"""Clocks change between midnight and four o'clock in all zones that we know of."""

LOST_DATE_DAYS = 400
"""A longer gap inside one recording is not a gap: the clock lost its date."""


class JumpKind(StrEnum):
    """Why the times of a recording jump."""

    DAYLIGHT_SAVING = "daylight saving"
    GAP = "gap"
    SET_BACK = "set back"
    DATE_LOST = "date lost"


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
    """

    at: pd.Timestamp
    minutes: float
    kind: JumpKind


def jumps(time_N: NDArray[np.datetime64], epoch_s: float) -> list[Jump]:
    """Return the jumps of one recording's clock, in the order in which it was recorded."""
    seconds_N: NDArray[np.float64] = time_N.astype("datetime64[ns]").astype(np.int64) / 1e9
    step = np.diff(seconds_N) - epoch_s
    irregular = []
    for n in np.flatnonzero(np.abs(step) > max(2 * epoch_s, 1.0)):
        at, minutes = pd.Timestamp(time_N[n]), float(step[n] / 60)
        irregular.append(Jump(at=at, minutes=minutes, kind=_kind(at, minutes, epoch_s)))
    return irregular


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


def to_wall_clock(utc_N: NDArray[np.datetime64], zone: str) -> NDArray[np.datetime64]:
    """Turn times in UTC into the naive wall clock of a zone.

    Raises
    ------
    ZoneInfoNotFoundError
        There is no such zone.
    """
    local = pd.DatetimeIndex(utc_N).tz_localize("UTC").tz_convert(ZoneInfo(zone))
    return local.tz_localize(None).to_numpy()


def last_of_repeated_times(time_N: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Return which samples of a clock that went back to keep: of a repeated time the last one."""
    ahead_N = np.minimum.accumulate(time_N.astype("datetime64[ns]").astype(np.int64)[::-1])[::-1]
    later_N = np.append(ahead_N[1:], np.iinfo(np.int64).max)
    return np.asarray(time_N.astype("datetime64[ns]").astype(np.int64) < later_N)


def rows_with_known_date(time_N: NDArray[np.datetime64], epoch_s: float) -> NDArray[np.bool_]:
    """Return which samples can be dated: those on the longest stretch without a lost date."""
    parts = np.zeros(len(time_N), dtype=np.int64)
    for jump in jumps(time_N, epoch_s):
        if jump.kind is JumpKind.DATE_LOST:
            parts[np.flatnonzero(time_N == np.datetime64(jump.at))[-1] + 1 :] += 1
    return np.asarray(parts == np.bincount(parts).argmax())
