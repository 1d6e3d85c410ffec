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
from dataclasses import dataclass
from typing import Any
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

_FIRST, _LAST = np.datetime64("1678-01-01", "s"), np.datetime64("2262-04-11", "s")
"""What nanoseconds can hold: a later date, such as 9999-12-31 for *unknown*, is no time."""

_ISO_PARTS = (
    r"^(?P<wall>[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<clock>[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?)?)"
    r" ?(?P<offset>[Zz]|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?$"
)
_UTC_OFFSETS = frozenset({"Z", "z", "+00:00", "+0000", "+00", "-00:00", "-0000", "-00"})
_OFFSET_OF_DATE = "Z|z|[+-][0-9]{2}:[0-9]{2}"
"""A date may have an offset too (XML Schema); it is a day all the same and is never converted."""

_TOKENS = {
    "YYYY": "%Y", "YY": "%y", "MMM": "%b", "MM": "%m", "M": "%m", "DD": "%d", "D": "%d",
    "HH": "%H", "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "A": "%p",
}  # fmt: skip
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_DATE_LIKE = r"^([0-9]{1,4})[./-]([0-9]{1,2})[./-]([0-9]{1,4})(?:[^0-9]|$)"
_ISO_DATE_LIKE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[^0-9]|$)"
_SAME = {"%b": "%m", "%y": "%Y", "%I": "%H"}
_ORDERS = ("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y/%d/%m", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d")


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
    text, dated = _as_texts(cells)
    # What is a date by its type, as in a Parquet file, has no written form.
    time_N, utc_N = _iso(text.where(dated, "") if form else text)
    if form:
        time_N = np.where(dated.to_numpy(), time_N, _in_form(text, form))
    if zone and utc_N.any():
        time_N[utc_N] = to_wall_clock(time_N[utc_N], zone)
    bad_N = np.isnat(time_N) & (text != "").to_numpy()
    return Times(
        time_N=time_N,
        bad_N=bad_N,
        other_order_N=_other_order(text, bad_N, form),
        in_utc_N=utc_N & (not zone),
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
        other_N = times.other_order_N.copy()
        other_N[bad_N] &= rest.other_order_N
        times = Times(
            time_N=_filled(times.time_N, bad_N, rest.time_N),
            bad_N=_filled(bad_N, bad_N, rest.bad_N),
            other_order_N=other_N,
            in_utc_N=_filled(times.in_utc_N, bad_N, rest.in_utc_N),
        )
    return times


def _filled(value_N: NDArray[Any], where_N: NDArray[np.bool_], new: NDArray[Any]) -> NDArray[Any]:
    filled_N = value_N.copy()
    filled_N[where_N] = new
    return filled_N


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
        return f'correct date_format = "{form}" in the map: these are dates of another form'
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
    used = [_TOKENS[token.group()] for token in _TOKEN.finditer(form)]
    complete = (
        {"%d"} < set(used) and bool({"%m", "%b"} & set(used)) and bool({"%Y", "%y"} & set(used))
    )
    once = len({_SAME.get(name, name) for name in used}) == len(used)
    twelve_hours = ("%p" in used) == ("%I" in used)
    hours_first = not {"%M", "%S"} & set(used) or bool({"%H", "%I"} & set(used))
    if not (complete and once and twelve_hours and hours_first) or re.search(
        "[A-SU-Za-z]", _TOKEN.sub("", form)
    ):
        raise ContractError(
            f"{form!r} is not a form of dates",
            f"use {', '.join(_TOKENS)} with separators, such as DD.MM.YYYY or M/D/YYYY hh:mm A",
        )
    return _TOKEN.sub(lambda token: _TOKENS[token.group()], form.replace("%", "%%"))


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


def _as_texts(cells: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return cells as text, and which of them are dates or times by their type."""
    if isinstance(cells.dtype, pd.StringDtype):
        return cells.fillna("").str.strip(), pd.Series(False, index=cells.index)
    text = cells.map(_as_text).astype("str")
    return text, cells.map(lambda cell: isinstance(cell, dt.date)).astype(bool)


def _as_text(cell: object) -> str:
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or (pd.api.types.is_scalar(cell) and pd.isna(cell)):
        return ""
    return cell.isoformat() if isinstance(cell, dt.date) else str(cell)


def _iso(text: pd.Series) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """Return times in ISO 8601 as they are written, and which of them are in UTC."""
    parts = text.str.extract(_ISO_PARTS)
    offset, clock = parts["offset"].fillna(""), parts["clock"].notna()
    whole = clock | (offset == "") | offset.str.fullmatch(_OFFSET_OF_DATE)
    wall = parts["wall"].where(whole)
    wall = wall.str.replace(",", ".", regex=False).str.replace("t", "T", regex=False)
    time_N = _nanoseconds(pd.to_datetime(wall, format="ISO8601", errors="coerce"))
    in_utc = (clock & offset.isin(_UTC_OFFSETS)).to_numpy(dtype=bool)
    return time_N, in_utc & ~np.isnat(time_N)


def _in_form(text: pd.Series, form: str) -> NDArray[np.datetime64]:
    """Return times in a declared form; nothing else is one, nor is a second that a day lacks."""
    written = text.where((text != "") & ~text.str.contains(":60(?![0-9])", regex=True))
    return _nanoseconds(pd.to_datetime(written, format=strptime_form(form), errors="coerce"))


def _other_order(text: pd.Series, bad_N: NDArray[np.bool_], form: str) -> NDArray[np.bool_]:
    """Return which unread cells are dates in another order or form than is declared.

    Where a form is declared, a day that no calendar has (31/02/2024) is a slip in one row.
    """
    other_N = np.zeros(len(text), dtype=np.bool_)
    at_N = np.flatnonzero(bad_N)
    cells = text.iloc[at_N]
    parts = cells.str.extract(_DATE_LIKE)
    like = parts[0].notna() & ~cells.str.match(_ISO_DATE_LIKE)
    if form and like.any():
        day = parts[0].str.cat([parts[1], parts[2]], sep="/").where(like)
        read = [pd.to_datetime(day, format=order, errors="coerce").notna() for order in _ORDERS]
        like &= pd.concat(read, axis=1).any(axis=1)
    other_N[at_N] = like.to_numpy(dtype=bool)
    return other_N


def _nanoseconds(times: pd.Series) -> NDArray[np.datetime64]:
    """Return times in nanoseconds, NaT where these can't hold them: a conversion would wrap."""
    second_N = times.to_numpy(dtype="datetime64[s]")
    outside_N = (second_N < _FIRST) | (second_N >= _LAST)
    return times.mask(outside_N).to_numpy(dtype="datetime64[ns]", copy=True)


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
