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
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import ContractError

EARLIEST = pd.Timestamp("1990-01-01")
"""No wearable and no rehabilitation record of a living cohort is older (local)."""

NIGHT_FROM_HOUR = 18
"""Sleep that begins at 18:00 or later is of the night that ends on the next day."""

ISO_FORM = "ISO 8601, such as 2024-03-05 or 2024-03-05T09:30:00+01:00"

_ISO_PARTS = (
    r"^(?P<wall>\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?)"
    r" ?(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?$"
)
_UTC_OFFSETS = frozenset({"Z", "+00:00", "+0000", "+00", "-00:00", "-0000"})
_TOKENS = {
    "YYYY": "%Y", "YY": "%y", "MM": "%m", "M": "%m", "DD": "%d", "D": "%d", "HH": "%H",
    "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "A": "%p",
}  # fmt: skip
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_OTHER_ORDER = re.compile(r"^(?!\d{4}-\d{2}-\d{2})\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?:\D|$)")


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
    """

    time_N: NDArray[np.datetime64]
    bad_N: NDArray[np.bool_]
    other_order_N: NDArray[np.bool_]
    in_utc_N: NDArray[np.bool_]


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
        Declared form in the tokens of `strptime_form`; empty for ISO 8601.
    """
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        return _zoned(cells, zone)
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind == "M":
        return _times(cells.to_numpy(dtype="datetime64[ns]"))
    text = cells.map(_as_text)
    if form:
        parsed = pd.to_datetime(text.where(text != ""), format=strptime_form(form), errors="coerce")
        offset = pd.Series("", index=text.index)
    else:
        parts = text.str.extract(_ISO_PARTS)
        wall = parts["wall"].str.replace(",", ".", regex=False)
        parsed = pd.to_datetime(wall, format="ISO8601", errors="coerce")
        offset = parts["offset"].fillna("")
    time_N = parsed.to_numpy(dtype="datetime64[ns]")
    utc_N = offset.isin(_UTC_OFFSETS).to_numpy() & ~np.isnat(time_N)
    if zone and utc_N.any():
        time_N = time_N.copy()
        time_N[utc_N] = to_wall_clock(time_N[utc_N], zone)
    bad_N = np.isnat(time_N) & (text != "").to_numpy()
    other_N = bad_N & text.str.match(_OTHER_ORDER).to_numpy(dtype=bool)
    return Times(time_N=time_N, bad_N=bad_N, other_order_N=other_N, in_utc_N=utc_N & (not zone))


def read_instants(cells: pd.Series) -> NDArray[np.datetime64]:
    """Read ISO 8601 times as instants in UTC, to compare or subtract times of different offsets.

    NaT where a cell is empty or no time, and where it has no offset: that is no instant.
    """
    if (cells == "").all():
        return np.full(len(cells), np.datetime64("NaT", "ns"))
    parts = cells.map(_as_text).str.extract(_ISO_PARTS)
    wall = pd.to_datetime(parts["wall"].str.replace(",", ".", regex=False), errors="coerce",
                          format="ISO8601")  # fmt: skip
    digits = parts["offset"].str.replace("Z", "+00").str.replace(":", "").str.ljust(5, "0")
    hours, minutes = (
        pd.to_numeric(digits.str[part], errors="coerce") for part in (slice(1, 3), slice(3, 5))
    )
    sign = digits.str[0].map({"+": 1, "-": -1})
    ahead = pd.to_timedelta(sign * (60 * hours + minutes), unit="min")
    return (wall - ahead).to_numpy(dtype="datetime64[ns]")


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
    if times.other_order_N.any():
        return 'declare the order of day and month in the map, such as date_format = "DD.MM.YYYY"'
    return f"write times as {form}" if form else f"write times as {ISO_FORM}"


def strptime_form(form: str) -> str:
    """Translate a declared form, such as `DD.MM.YYYY HH:mm`, for `strptime`.

    Raises
    ------
    ContractError
        It lacks day, month or year, or has letters that are no token.
    """
    wanted = ("Y", "M", "D")
    if any(letter not in form for letter in wanted) or re.search("[A-Za-z]", _TOKEN.sub("", form)):
        raise ContractError(
            f"{form!r} is not a form of dates",
            f"use {', '.join(_TOKENS)} with separators, such as DD.MM.YYYY or M/D/YYYY hh:mm A",
        )
    return _TOKEN.sub(lambda token: _TOKENS[token.group()], form)


def to_wall_clock(utc_N: NDArray[np.datetime64], zone: str) -> NDArray[np.datetime64]:
    """Turn times in UTC into the naive wall clock of a zone.

    Raises
    ------
    ZoneInfoNotFoundError
        There is no such zone.
    """
    local = pd.DatetimeIndex(utc_N).tz_localize("UTC").tz_convert(ZoneInfo(zone))
    return local.tz_localize(None).to_numpy()


def nights(start: pd.Series, end: pd.Series) -> pd.Series:
    """Return the day to which sleep belongs: the day of waking, in every source.

    Sleep that begins in the evening, from `NIGHT_FROM_HOUR`, belongs to the next day; any other to
    the day on which it ends. So a night in pieces stays one night, and a nap stays on its day.
    """
    day = end.where(end.notna(), start).dt.normalize()
    evening = start.dt.hour >= NIGHT_FROM_HOUR
    return day.mask(evening, start.dt.normalize() + pd.Timedelta(days=1))


def latest_possible(now: dt.datetime | None = None) -> pd.Timestamp:
    """Return the end of tomorrow: clocks of other zones may be ahead, but not by more."""
    today = pd.Timestamp(now or dt.datetime.now(dt.UTC)).tz_localize(None).normalize()
    return today + pd.Timedelta(days=2)


def _as_text(cell: object) -> str:
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, dt.datetime | dt.date):
        return cell.isoformat()
    return "" if cell is None or cell is pd.NaT or cell != cell else repr(cell)


def _times(time_N: NDArray[np.datetime64]) -> Times:
    no_N = np.zeros(len(time_N), dtype=np.bool_)
    return Times(time_N=time_N, bad_N=no_N, other_order_N=no_N, in_utc_N=no_N)


def _zoned(cells: pd.Series, zone: str) -> Times:
    in_utc = str(cells.dt.tz) in {"UTC", "Etc/UTC", "UTC+00:00", "+00:00"}
    if in_utc and zone:
        cells = cells.dt.tz_convert(ZoneInfo(zone))
    times = _times(cells.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]"))
    known_N = ~np.isnat(times.time_N)
    return Times(
        time_N=times.time_N,
        bad_N=times.bad_N,
        other_order_N=times.other_order_N,
        in_utc_N=known_N & (in_utc and not zone),
    )
