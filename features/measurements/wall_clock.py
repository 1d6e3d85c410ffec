"""The one clock of all readers: what a written time means on the wearer's wall clock.

Times are naive local times, because a day is a day of the person who wore the device. A written
time is ISO 8601 with a whole date, unless a map declares another form. With an offset it keeps its
own wall clock. In UTC it becomes the wall clock of the source's own zone, else of the map's, else
it stays in UTC, which `Times.in_utc_N` tells so that the import can say it. The order of day and
month is declared or the time is not read: it is never inferred from the values.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import ContractError
from features.measurements.written_times import (
    as_text,
    in_another_order,
    iso_times,
    nanoseconds,
    offset_of,
    offset_times,
    times_in_form,
)
from features.measurements.written_times import strptime_form as strptime_form

EARLIEST = pd.Timestamp("1990-01-01")
"""No wearable and no rehabilitation record of a living cohort is older (local)."""

NIGHT_FROM_HOUR = 18
"""Sleep that begins at 18:00 or later is of the night that ends on the next day."""

LONGEST_AWAKE = pd.Timedelta(minutes=60)
"""Sleep that goes on sooner is the same sleep (van Hees 2018)."""

ISO_FORM = "ISO 8601, such as 2024-03-05 or 2024-03-05T09:30:00+01:00"

_UTC_OFFSETS = frozenset({"Z", "z", "+00:00", "+0000", "+00", "-00:00", "-0000", "-00"})
_FIXED_ZONE = re.compile(r"^(?:GMT|UTC)(?P<offset>[+-]\d{2}(?::?\d{2})?)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Written times on the wall clock; N cells.

    Parameters
    ----------
    time_N
        datetime64[ns]; NaT where a cell is empty or can't be read.
    bad_N
        Cells that hold something that is not a time in the declared form.
    other_order_N
        Those of them that are dates in an undeclared order of day, month and year: a fault of the
        whole column.
    in_utc_N
        Times in UTC for which no zone is known: their days are days in UTC.
    offset_N
        timedelta64[ns] by which the wall clock is ahead of UTC; NaT where the time does not say.
    """

    time_N: NDArray[np.datetime64]
    bad_N: NDArray[np.bool_]
    other_order_N: NDArray[np.bool_]
    in_utc_N: NDArray[np.bool_]
    offset_N: NDArray[np.timedelta64]


def read_times(cells: pd.Series, *, zone: str = "", form: str = "") -> Times:
    """Read a column of times.

    Parameters
    ----------
    cells
        Text, or what a Parquet file holds: timestamps with or without a zone, dates. Numbers and
        durations are not times.
    zone
        IANA zone of times in UTC; empty where none is known.
    form
        Declared form in the tokens of `strptime_form`; empty for ISO 8601. What is a date by its
        type, as in a Parquet file, has no written form.
    """
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        return _zoned(cells, zone)
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind == "M":
        return _typed(cells)
    text, dated_N = as_text(cells)
    time_N, offset = iso_times(text)
    if form:
        time_N = np.where(dated_N, time_N, times_in_form(text, strptime_form(form)))
        offset = offset.where(dated_N, "")
    utc_N = offset.isin(_UTC_OFFSETS).to_numpy() & ~np.isnat(time_N)
    ahead_N = offset_times(offset)
    if zone and utc_N.any():
        written_N = time_N[utc_N]
        time_N[utc_N] = to_wall_clock(written_N, zone)
        ahead_N[utc_N] = time_N[utc_N] - written_N
    bad_N = np.isnat(time_N) & np.array(text.to_numpy() != "", dtype=np.bool_)
    return Times(
        time_N=time_N,
        bad_N=bad_N,
        other_order_N=in_another_order(text, bad_N, is_declared=bool(form)),
        in_utc_N=utc_N & (not zone),
        offset_N=ahead_N,
    )


def read_times_in(cells: pd.Series, forms: Sequence[str], *, zone: str = "") -> Times:
    """Read a column in which a format writes its times in one of several forms, of one order.

    Parameters
    ----------
    forms
        Forms in the tokens of `strptime_form`, or empty for ISO 8601, the likeliest first.
    """
    times = read_times(cells, zone=zone, form=forms[0])
    for form in forms[1:]:
        bad_N = times.bad_N
        if not bad_N.any():
            break
        rest = read_times(cells.iloc[np.flatnonzero(bad_N)], zone=zone, form=form)
        filled = {part.name: getattr(times, part.name).copy() for part in fields(Times)}
        other_N = times.other_order_N[bad_N] & rest.other_order_N
        for name, value_N in filled.items():
            value_N[bad_N] = getattr(rest, name) if name != "other_order_N" else other_N
        times = Times(**filled)
    return times


def read_instants(cells: pd.Series) -> NDArray[np.datetime64]:
    """Read ISO 8601 times as instants in UTC, to compare or subtract times of different offsets.

    NaT where a cell is empty or no time, and where it has no offset: that is no instant.
    """
    times = read_times(cells)
    return times.time_N - times.offset_N


def read_time(written: object, *, zone: str = "", form: str = "") -> tuple[pd.Timestamp, bool]:
    """Read one time; also return whether it is in UTC for want of a zone.

    Raises
    ------
    ContractError
        It is empty, has no day, or is not in the declared form.
    """
    times = read_times(pd.Series([written], dtype=object), zone=zone, form=form)
    if np.isnat(times.time_N[0]):
        raise ContractError(f"{written!r} where a time is expected", advice_on_times(times, form))
    return pd.Timestamp(times.time_N[0]), bool(times.in_utc_N[0])


def advice_on_times(times: Times, form: str = "") -> str:
    """Return what to do about cells that are no times."""
    if times.other_order_N.any() and form:
        return f"write all dates of the column as {form}, or declare the form that they have"
    if times.other_order_N.any():
        return 'declare the order of day and month in the map, such as date_format = "DD.MM.YYYY"'
    return f"write times as {form}" if form else f"write times as {ISO_FORM}"


def known_zone(zone: str) -> str:
    """Return an IANA time zone as it is; empty stays empty.

    Raises
    ------
    ValueError
        There is no such zone.
    """
    try:
        return str(ZoneInfo(zone)) if zone else zone
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"{zone!r} is not an IANA time zone: use one such as Europe/Oslo"
        ) from error


def to_wall_clock(utc_N: NDArray[np.datetime64], zone: str) -> NDArray[np.datetime64]:
    """Turn times in UTC into the naive wall clock of a zone.

    Parameters
    ----------
    zone
        IANA name, or a fixed offset as phones name it (`GMT+0530`).

    Raises
    ------
    ZoneInfoNotFoundError, ValueError
        There is no such zone.
    """
    fixed = _FIXED_ZONE.match(zone)
    where = dt.timezone(offset_of(fixed["offset"])) if fixed else ZoneInfo(zone)
    local = pd.DatetimeIndex(utc_N).tz_localize("UTC").tz_convert(where)
    return local.tz_localize(None).to_numpy()


def nights(start: pd.Series, end: pd.Series) -> pd.Series:
    """Return the day to which sleep belongs: the day of waking, in every source.

    Sleep that begins in the evening, from `NIGHT_FROM_HOUR`, belongs to the next day; any other to
    the day on which it ends. So a night in pieces stays one night, and a nap stays on its day.
    """
    day = end.where(end.notna(), start).dt.normalize()
    evening = start.dt.hour >= NIGHT_FROM_HOUR
    next_day: pd.Series = day.mask(evening, start.dt.normalize() + pd.Timedelta(days=1))
    return next_day


def sleep_episodes(
    group_N: NDArray[np.int64], start_N: NDArray[np.int64], end_N: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when the sleep to which each interval belongs began and ended.

    Intervals of one group (a person and source) between which less than `LONGEST_AWAKE` lies are
    one sleep, such as a night in stages; so it does not matter in how many pieces it is stated.

    Parameters
    ----------
    start_N, end_N
        Nanoseconds on one clock.
    """
    order = np.lexsort((end_N, start_N, group_N))
    group, start, end = group_N[order], start_N[order], end_N[order]
    latest = pd.Series(end).groupby(group).cummax().to_numpy()
    apart = (group[1:] != group[:-1]) | (start[1:] - latest[:-1] >= LONGEST_AWAKE.value)
    episode = np.concatenate([[0], np.cumsum(apart)])[: len(order)]
    by_episode = pd.DataFrame({"start": start, "end": latest}).groupby(episode)
    began, ended = np.empty_like(start_N), np.empty_like(end_N)
    began[order] = by_episode["start"].transform("min").to_numpy()
    ended[order] = by_episode["end"].transform("max").to_numpy()
    return began, ended


def latest_possible(now: dt.datetime | None = None) -> pd.Timestamp:
    """Return the end of tomorrow: clocks of other zones may be ahead, but not by more."""
    today = pd.Timestamp(now or dt.datetime.now(dt.UTC)).tz_localize(None).normalize()
    return today + pd.Timedelta(days=2)


def _typed(cells: pd.Series) -> Times:
    time_N = nanoseconds(cells)
    return Times(
        time_N=time_N,
        bad_N=np.isnat(time_N) & cells.notna().to_numpy(),
        other_order_N=np.zeros(len(time_N), dtype=np.bool_),
        in_utc_N=np.zeros(len(time_N), dtype=np.bool_),
        offset_N=np.full(len(time_N), "NaT", dtype="timedelta64[ns]"),
    )


def _zoned(cells: pd.Series, zone: str) -> Times:
    utc = _typed(cells.dt.tz_convert("UTC").dt.tz_localize(None))
    in_utc = str(cells.dt.tz) in {"UTC", "Etc/UTC", "UTC+00:00", "+00:00"}
    if in_utc and zone:
        cells = cells.dt.tz_convert(ZoneInfo(zone))
    local = _typed(cells.dt.tz_localize(None))
    return Times(
        time_N=local.time_N,
        bad_N=local.bad_N,
        other_order_N=local.other_order_N,
        in_utc_N=~np.isnat(local.time_N) & (in_utc and not zone),
        offset_N=local.time_N - utc.time_N,
    )
