"""What the clock of a kind of device can't show: years before the device, and its factory date.

A device that lost its power counts on from the date of its factory. Its recordings look whole, only
years too early: as an onset they would move everything that is computed from days since then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.measurements.wall_clock import EARLIEST, latest_possible

FACTORY_DATES = ("1990-01-01", "2000-01-01", "2001-01-01", "2010-01-01")
"""Where clocks of devices begin to count, of those that lie after `EARLIEST` (1970-01-01 of Unix,
1980-01-06 of GPS and 1989-12-31 of FIT lie before): common starts of real-time clocks (local)."""

ZONE_NS = 14 * 3_600_000_000_000
"""Zones differ from UTC by at most 14 hours: a factory date in UTC may show as the day before."""

DAY_NS = 86_400_000_000_000
LOST_DATE_NS = 400 * DAY_NS
"""A longer gap inside one recording is not a gap: there the clock was set, or lost its date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClock:
    """The clock of a kind of device.

    Parameters
    ----------
    since
        First day on which there was such a device: no earlier recording of one is dated right.
    factory_dates
        Days with which a recording begins whose device lost its date.
    """

    since: str = f"{EARLIEST:%Y-%m-%d}"
    factory_dates: tuple[str, ...] = FACTORY_DATES

    @property
    def is_known_since(self) -> bool:
        """Whether its devices are younger than any record may be."""
        return bool(np.datetime64(self.since) > np.datetime64(EARLIEST, "D"))


ANY_CLOCK = DeviceClock()
"""The clock of a device of which no more is known."""


def impossible_times(
    time_N: NDArray[np.datetime64], clock: DeviceClock, *, dates_shifted: bool
) -> NDArray[np.bool_]:
    """Return which times of one recording its clock can't have shown rightly.

    Parameters
    ----------
    time_N
        datetime64[ns], in any order, NaT where a sample has none.
    dates_shifted
        Whether all dates were shifted for anonymity: then they may lie in any year.
    """
    low, high = np.datetime64(clock.since, "ns"), np.datetime64(latest_possible(), "ns")
    if dates_shifted:
        low, high = np.datetime64("1678", "ns"), np.datetime64("2262", "ns")
    first, last = time_N.min(), time_N.max()
    outside_N = np.zeros(len(time_N), dtype=np.bool_)
    if not (first >= low and last < high):  # False where a time is missing.
        outside_N = ~((time_N >= low) & (time_N < high))
        if dates_shifted or outside_N.all():
            return outside_N
        first = time_N[~outside_N].min()
    if not dates_shifted and _is_factory_date(first, clock):
        outside_N |= time_N < _until_set(time_N[~outside_N])
    return outside_N


def _is_factory_date(first: np.datetime64, clock: DeviceClock) -> bool:
    starts = np.array(clock.factory_dates, dtype="datetime64[ns]")
    zone, day = np.timedelta64(ZONE_NS, "ns"), np.timedelta64(DAY_NS, "ns")
    return bool(((first >= starts - zone) & (first < starts + day)).any())


def _until_set(time_N: NDArray[np.datetime64]) -> np.datetime64:
    """Return the first time after the clock was set, a time after all where it never was."""
    ordered = np.unique(time_N)
    set_at = np.flatnonzero(np.diff(ordered) > np.timedelta64(LOST_DATE_NS, "ns"))
    if len(set_at):
        return np.datetime64(ordered[set_at[0] + 1], "ns")
    return np.datetime64(ordered[-1] + np.timedelta64(1, "ns"), "ns")
