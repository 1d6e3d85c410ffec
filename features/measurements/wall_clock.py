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
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
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
_FIRST_NS, _LAST_NS = np.datetime64("1678-01-01", "us"), np.datetime64("2262-01-01", "us")
"""What a time in nanoseconds can hold."""
_TOKENS = {
    "YYYY": "%Y", "YY": "%y", "MM": "%m", "M": "%m", "DD": "%d", "D": "%d", "HH": "%H",
    "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "A": "%p",
}  # fmt: skip
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_DATE_LIKE = r"^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?:\D|$)"
_ISO_LIKE = r"^\d{4}-\d{2}-\d{2}"


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
        return _times(cells)
    text = _as_text(cells)
    no_N = np.zeros(len(cells), dtype=np.bool_)
    if form:
        written = pd.Series(text.to_pandas(), dtype="str")
        parsed = pd.to_datetime(
            written.where(written != ""), format=strptime_form(form), errors="coerce"
        )
        time_N, utc_N = _nanoseconds(parsed), no_N
    else:
        parts = pc.extract_regex(text, _ISO_PARTS)
        time_N = _iso(pc.struct_field(parts, "wall"))
        offset = pd.Series(pc.struct_field(parts, "offset").to_pandas())
        utc_N = offset.isin(_UTC_OFFSETS).to_numpy() & ~np.isnat(time_N)
    if zone and utc_N.any():
        time_N = time_N.copy()
        time_N[utc_N] = to_wall_clock(time_N[utc_N], zone)
    bad_N = np.isnat(time_N) & _true(pc.not_equal(text, ""))
    if not bad_N.any():
        return Times(time_N=time_N, bad_N=no_N, other_order_N=no_N, in_utc_N=utc_N & (not zone))
    # Beside cells in a declared form, dates in ISO 8601 are in another order too: spreadsheets
    # write them where they took a day for a month.
    other_N = bad_N & _true(pc.match_substring_regex(text, _DATE_LIKE))
    if not form:
        other_N &= ~_true(pc.match_substring_regex(text, _ISO_LIKE))
    return Times(time_N=time_N, bad_N=bad_N, other_order_N=other_N, in_utc_N=utc_N & (not zone))


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


def _as_text(cells: pd.Series) -> pa.ChunkedArray:
    if not isinstance(cells.dtype, pd.StringDtype):
        cells = pd.Series([_cell_as_text(cell) for cell in cells], dtype="str")
    text = pa.array(cells, from_pandas=True)
    whole = text if isinstance(text, pa.ChunkedArray) else pa.chunked_array([text])
    return pc.fill_null(pc.utf8_trim_whitespace(whole), "")


def _cell_as_text(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, dt.datetime | dt.date):
        return cell.isoformat()
    return "" if cell is None or cell is pd.NaT or cell is pd.NA or cell != cell else repr(cell)


def _iso(wall: pa.ChunkedArray) -> NDArray[np.datetime64]:
    """Parse wall clocks in ISO 8601; NaT for one that is no time."""
    wall = pc.replace_substring(wall, ",", ".")
    try:
        return np.array(pc.cast(wall, pa.timestamp("ns")).to_numpy(), dtype="datetime64[ns]")
    except pa.ArrowInvalid:
        written = pd.Series(wall.to_pandas(), dtype="str")
        return _nanoseconds(pd.to_datetime(written, format="ISO8601", errors="coerce"))


def _nanoseconds(times: pd.Series) -> NDArray[np.datetime64]:
    """Return naive times in nanoseconds; NaT for those that lie out of their reach, not others."""
    time_N = times.to_numpy()
    known_N = (time_N > _FIRST_NS) & (time_N < _LAST_NS)
    return np.where(known_N, time_N, np.datetime64("NaT")).astype("datetime64[ns]")


def _true(mask: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.array(mask.to_numpy(), dtype=np.bool_)


def _times(cells: pd.Series) -> Times:
    time_N = _nanoseconds(cells)
    no_N = np.zeros(len(time_N), dtype=np.bool_)
    bad_N = np.isnat(time_N) & cells.notna().to_numpy()
    return Times(time_N=time_N, bad_N=bad_N, other_order_N=no_N, in_utc_N=no_N)


def _zoned(cells: pd.Series, zone: str) -> Times:
    in_utc = str(cells.dt.tz) in {"UTC", "Etc/UTC", "UTC+00:00", "+00:00"}
    if in_utc and zone:
        cells = cells.dt.tz_convert(ZoneInfo(zone))
    times = _times(cells.dt.tz_localize(None))
    known_N = ~np.isnat(times.time_N)
    return Times(
        time_N=times.time_N,
        bad_N=times.bad_N,
        other_order_N=times.other_order_N,
        in_utc_N=known_N & (in_utc and not zone),
    )
