"""How a time is written: ISO 8601, or a declared form. Nothing else is ever read."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.errors import ContractError

_FIRST, _LAST = np.datetime64("1678-01-01", "s"), np.datetime64("2262-04-11", "s")
"""What nanoseconds can hold: a later date, such as 9999-12-31 for *unknown*, is no time."""

_ISO_PARTS = (
    r"^(?P<wall>[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<clock>[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?)?)"
    r" ?(?P<offset>[Zz]|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?$"
)
_OFFSET_OF_DATE = "^(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?$"
"""A date may have an offset too (XML Schema); it is a day all the same and is never converted."""

_DATE_LIKE = r"^([0-9]{1,4})[./-]([0-9]{1,2})[./-]([0-9]{1,4})(?:[^0-9]|$)"
_ISO_DATE_LIKE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[^0-9]|$)"
_LEAP_SECOND = ":60(?:[^0-9]|$)"
_ORDERS = ("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y/%d/%m", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d")

_TOKENS = {
    "YYYY": "%Y", "YY": "%y", "MMM": "%b", "MM": "%m", "M": "%m", "DD": "%d", "D": "%d",
    "HH": "%H", "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "A": "%p",
}  # fmt: skip
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_SAME = {"%b": "%m", "%y": "%Y", "%I": "%H"}


def strptime_form(form: str) -> str:
    """Translate a declared form, such as `DD.MM.YYYY HH:mm`, for `strptime`.

    Raises
    ------
    ContractError
        It lacks day, month or year, has one of them twice, hours of a clock of twelve without `A`,
        or letters that are no token.
    """
    used = [_TOKENS[token.group()] for token in _TOKEN.finditer(form)]
    parts = [_SAME.get(name, name) for name in used]
    complete = {"%d", "%m", "%Y"} <= set(parts) and len(set(parts)) == len(parts)
    twelve_hours = ("%p" in used) == ("%I" in used)
    hours_too = "%H" in parts or not {"%M", "%S"} & set(parts)
    foreign = re.search("[A-SU-Za-z]", _TOKEN.sub("", form))
    if foreign or not (complete and twelve_hours and hours_too):
        raise ContractError(
            f"{form!r} is not a form of dates",
            f"use {', '.join(_TOKENS)} with separators, such as DD.MM.YYYY or M/D/YYYY hh:mm A",
        )
    return _TOKEN.sub(lambda token: _TOKENS[token.group()], form.replace("%", "%%"))


def as_text(cells: pd.Series) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return cells as text, empty where there is none, and which are dates by their type."""
    dated_N = np.zeros(len(cells), dtype=np.bool_)
    if not isinstance(cells.dtype, pd.StringDtype):
        dated_N = np.array([isinstance(cell, dt.date) for cell in cells], dtype=np.bool_)
        cells = pd.Series([_written(cell) for cell in cells], dtype="str")
    text = pa.array(cells, from_pandas=True)
    whole = text if isinstance(text, pa.ChunkedArray) else pa.chunked_array([text])
    return pc.fill_null(pc.utf8_trim_whitespace(whole), ""), dated_N


def _written(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None or cell is pd.NaT or cell is pd.NA or cell != cell:
        return ""
    return cell.isoformat() if isinstance(cell, dt.date) else str(cell)


def iso_times(text: pa.ChunkedArray) -> tuple[NDArray[np.datetime64], pd.Series]:
    """Return the wall clocks of times in ISO 8601, and their offsets, empty where there is none."""
    parts = pc.extract_regex(text, _ISO_PARTS)
    wall, clock, offset = (pc.struct_field(parts, name) for name in ("wall", "clock", "offset"))
    of_moment = pc.not_equal(clock, "")
    whole = pc.or_(of_moment, pc.match_substring_regex(offset, _OFFSET_OF_DATE))
    wall = pc.if_else(pc.and_(whole, pc.not_equal(wall, "")), wall, None)
    wall = pc.replace_substring(pc.replace_substring(wall, ",", "."), "t", "T")
    offsets = pd.Series(pc.if_else(of_moment, offset, "").to_pandas(), dtype="str").fillna("")
    try:
        # Unlike a conversion, this parser refuses what nanoseconds can't hold.
        time_N = np.array(pc.cast(wall, pa.timestamp("ns")).to_numpy(), dtype="datetime64[ns]")
    except pa.ArrowInvalid:
        written = pd.Series(wall.to_pandas(), dtype="str")
        time_N = nanoseconds(pd.to_datetime(written, format="ISO8601", errors="coerce"))
    return time_N, offsets


def times_in_form(text: pa.ChunkedArray, form: str) -> NDArray[np.datetime64]:
    """Return times in a form of `strptime`; nothing else is one, nor is a leap second."""
    kept = pc.and_(pc.not_equal(text, ""), pc.invert(pc.match_substring_regex(text, _LEAP_SECOND)))
    written = pd.Series(pc.if_else(kept, text, None).to_pandas(), dtype="str")
    return nanoseconds(pd.to_datetime(written, format=form, errors="coerce"))


def nanoseconds(times: pd.Series) -> NDArray[np.datetime64]:
    """Return times in nanoseconds, NaT where these can't hold them: a conversion would wrap."""
    second_N = times.to_numpy(dtype="datetime64[s]")
    outside_N = (second_N < _FIRST) | (second_N >= _LAST)
    return times.mask(outside_N).to_numpy(dtype="datetime64[ns]", copy=True)


def in_another_order(
    text: pa.ChunkedArray, bad_N: NDArray[np.bool_], *, is_declared: bool
) -> NDArray[np.bool_]:
    """Return which unread cells are dates in another order or form than is declared.

    Beside a declared form, a date in ISO 8601 is one: spreadsheets write it where they took a day
    for a month. A day that no calendar has (31/02/2024) is a slip in its row.
    """
    other_N = np.zeros(len(bad_N), dtype=np.bool_)
    if not bad_N.any():
        return other_N
    cells = pd.Series(text.filter(pa.array(bad_N)).to_pandas(), dtype="str")
    parts = cells.str.extract(_DATE_LIKE)
    like = parts[0].notna()
    if is_declared:
        day = (parts[0] + "/" + parts[1] + "/" + parts[2]).where(like)
        read = [pd.to_datetime(day, format=order, errors="coerce").notna() for order in _ORDERS]
        like &= pd.concat(read, axis=1).any(axis=1)
    else:
        like &= ~cells.str.match(_ISO_DATE_LIKE)
    other_N[bad_N] = like.to_numpy(dtype=bool)
    return other_N


def offset_times(offsets: pd.Series) -> NDArray[np.timedelta64]:
    """Return by how much written offsets, such as `+01:00`, are ahead of UTC; NaT for none."""
    known = {text: offset_of(text) for text in offsets.unique() if text}
    return offsets.map(known).to_numpy(dtype="timedelta64[ns]", copy=True)


def offset_of(written: str) -> dt.timedelta:
    """Return by how much an offset is ahead of UTC."""
    digits = "" if written in {"Z", "z"} else written[1:].replace(":", "")
    ahead = dt.timedelta(hours=int(digits[:2] or 0), minutes=int(digits[2:] or 0))
    return -ahead if written.startswith("-") else ahead
