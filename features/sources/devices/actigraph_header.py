"""The header of an ActiGraph epoch CSV, and the times of its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import SourceUnreadable
from features.measurements.wall_clock import read_times, read_times_in
from features.recording import SourceFile

HEADER_LINES = 10
KNOWN_FORMS = "M/d/yyyy, MM/dd/yyyy, dd/MM/yyyy, d.M.yyyy, yyyy-MM-dd"
"""Examples: any order of d, M and y with any separator, as ActiLife names the computer's form."""

CLOCK_FORMS = ("HH:mm:ss", "h:mm:ss A", "HH:mm", "h:mm A")
SOME_DAY, SOME_DATE = np.datetime64("2000-01-01", "ns"), "2000-01-01"

_PART = r"(?:d{1,2}|M{1,3}|y{2}|y{4})"
_FORM = re.compile(rf"date format\s+({_PART}(?:[-./\s]+{_PART}){{2}})(?![dMy])")
_TOKENS = {
    "d": "D", "dd": "DD", "M": "M", "MM": "MM", "MMM": "MMM", "yy": "YY", "yyyy": "YYYY",
}  # fmt: skip
_SEPARATOR = r"[-./\s]+"
_WRITTEN = r"^(\w{1,4})[-./ ]\s*(\w{1,4})[-./ ]\s*(\w{1,4})\.?(?=\s|$)"
FORM_ADVICE = "declare the form of its dates as date_format in [[files]] of the map"
_RATE = re.compile(r" at \d+ Hz")
_LIMB = re.compile(r"Limb: (\w+)")
_MODE = re.compile(r"Mode = (\d+)")
_CREATED = "created by acti"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the ten lines say.

    Parameters
    ----------
    epoch_s, serial, limb
        Seconds of an epoch; the device; where it was worn, empty where that is not said.
    date_form
        Form of all dates in the tokens of the map and with `/` between them; empty where it is not
        named.
    start_date, start_time, download_date
        As written.
    mode
        Which columns there are; None where it is not said.
    """

    epoch_s: float
    serial: str
    limb: str
    date_form: str
    start_date: str
    start_time: str
    download_date: str
    mode: int | None


def is_header(line: str) -> bool:
    """Return whether a line is the first of a header."""
    return _CREATED in line[:200].casefold()


def read_header(file: SourceFile, lines: Sequence[str]) -> Header:
    """Read the ten lines.

    Raises
    ------
    SourceUnreadable
        A line is missing, or it is raw data.
    """
    plain = [line.strip(' ,;\t"') for line in lines]
    if _RATE.search(plain[0]):
        raise SourceUnreadable(
            file.name, "line 1", "raw data as CSV", "import the .gt3x file that it was made from"
        )
    period = _after(file, plain, "Epoch Period (hh:mm:ss)")
    parts = re.fullmatch(r"(\d+):(\d\d):(\d\d)", period, re.ASCII)
    hours, minutes, seconds = map(int, parts.groups()) if parts else (0, 0, 0)
    epoch_s = float(3600 * hours + 60 * minutes + seconds)
    if epoch_s <= 0:
        found = f"an epoch of {period!r} is impossible"
        raise SourceUnreadable(file.name, "Epoch Period", found, "export it again")
    limb, mode = _LIMB.search(plain[0]), _MODE.search(" ".join(plain))
    where = limb.group(1).lower() if limb else ""
    return Header(
        epoch_s=epoch_s,
        serial=_after(file, plain, "Serial Number:"),
        limb="" if where in {"undefined", "unknown"} else where,
        date_form=_date_form(plain[0]),
        start_date=_after(file, plain, "Start Date"),
        start_time=_after(file, plain, "Start Time"),
        download_date=_after(file, plain, "Download Date"),
        mode=int(mode.group(1)) if mode else None,
    )


def _after(file: SourceFile, lines: Sequence[str], name: str) -> str:
    """Return what follows a name in the header."""
    line = next((line for line in lines if line.casefold().startswith(name.casefold())), None)
    if line is None:
        raise SourceUnreadable(
            file.name, f"lines 1 to {HEADER_LINES}", f"the header has no line {name!r}",
            "export it again with ActiLife's header",
        )  # fmt: skip
    return line[len(name) :].strip()


def _date_form(line: str) -> str:
    named = _FORM.search(line)
    parts = re.split(_SEPARATOR, named.group(1)) if named else []
    form = "/".join(_TOKENS[part] for part in parts)
    return form if len({letter for letter in form if letter in "DMY"}) == 3 else ""


def row_times(
    file: SourceFile, header: Header, cells: pd.DataFrame, epoch_N: NDArray[np.int64]
) -> tuple[NDArray[np.datetime64], bool]:
    """Return each row's wall clock, NaT where it can't be read, and whether it is UTC.

    Parameters
    ----------
    cells
        Rows with any of the columns `date`, `time`, `timestamp`, by row in the file.
    epoch_N
        How many epochs lie before each row; it dates rows without a date of their own.

    Raises
    ------
    SourceUnreadable
        The form of the dates is not certain.
    """
    if "timestamp" in cells:
        return _stamped(file, header, cells["timestamp"])
    if "date" in cells and "time" in cells:
        return _dates(file, header, cells["date"], "Date") + _clock(cells["time"]), False
    if "date" in cells:
        raise SourceUnreadable(
            file.name, "Date", "its rows have a date and no time of day",
            "export it with the columns Date and Time, or without both",
        )  # fmt: skip
    start = _start(file, header)
    step_N = (epoch_N * round(header.epoch_s * 1e9)).astype("timedelta64[ns]")
    time_N = start + step_N
    if "time" in cells:
        clock_N = _clock(cells["time"])
        differs_N = ~np.isnat(clock_N) & (time_N - time_N.astype("datetime64[D]") != clock_N)
        if differs_N.any():
            raise SourceUnreadable(
                file.name, "Time",
                f"row {cells.index[differs_N.argmax()]} does not follow the row before it by an"
                " epoch, and no column has its date",
                "export it with the columns Date and Time",
            )  # fmt: skip
    return time_N, False


def _start(file: SourceFile, header: Header) -> np.datetime64:
    """Return when the recording starts; a start after the download shows a wrong form."""
    written = {"Start Date": header.start_date, "Download Date": header.download_date}
    day = {name: _dates(file, header, pd.Series([text]), name)[0] for name, text in written.items()}
    start: np.datetime64 = day["Start Date"] + _clock(pd.Series([header.start_time]))[0]
    if np.isnat(start) or start > day["Download Date"] + np.timedelta64(1, "D"):
        raise SourceUnreadable(
            file.name, "Start Date",
            f"{header.start_date!r} at {header.start_time!r}, downloaded on"
            f" {header.download_date!r}, is not a start as {header.date_form or 'ISO 8601'}",
            FORM_ADVICE,
        )  # fmt: skip
    return start


def _dates(
    file: SourceFile, header: Header, cells: pd.Series, field: str
) -> NDArray[np.datetime64]:
    """Return days in the declared form, else in the form of the header, else in ISO 8601."""
    codes, texts = pd.factorize(cells)
    days = pd.Series(texts, dtype="str")
    time_N = _in_forms(file, header, days, field, ("", *CLOCK_FORMS))
    return time_N.astype("datetime64[D]").astype("datetime64[ns]")[codes]


def _in_forms(
    file: SourceFile, header: Header, cells: pd.Series, field: str, clocks: Sequence[str]
) -> NDArray[np.datetime64]:
    """Read dates, or dates and times of day, in all forms that are certain."""
    declared = file.form.date_format
    form = declared or header.date_form
    times = read_times(cells)
    if form and times.bad_N.any():
        text = cells if declared else cells.str.replace(_WRITTEN, r"\1/\2/\3", regex=True)
        again = read_times_in(text, [f"{form} {clock}".strip() for clock in clocks])
        time_N = np.where(times.bad_N, again.time_N, times.time_N)
        bad_N, other_N = times.bad_N & again.bad_N, times.bad_N & again.other_order_N
    else:
        time_N, bad_N, other_N = times.time_N, times.bad_N, times.other_order_N
    if not form and bad_N.any():
        raise SourceUnreadable(
            file.name, field,
            f"{cells[bad_N].iloc[0]!r}: the header names no form of dates, or one that is not known"
            f" (known are d, M and y in any order, such as {KNOWN_FORMS})",
            FORM_ADVICE,
        )  # fmt: skip
    if other_N.any():
        raise SourceUnreadable(
            file.name, field,
            f"{cells[other_N].iloc[0]!r} is not a date as {form}, the form that"
            f" {'the map declares' if declared else 'the header names'}",
            FORM_ADVICE,
        )  # fmt: skip
    return time_N


def _clock(cells: pd.Series) -> NDArray[np.timedelta64]:
    """Return times of day as time since midnight."""
    codes, texts = pd.factorize(cells)
    written = f"{SOME_DATE} " + pd.Series(texts, dtype="str")
    forms = ["", *(f"YYYY-MM-DD {form}" for form in CLOCK_FORMS)]
    times = read_times_in(written, forms)
    return (times.time_N - SOME_DAY)[codes]


def _stamped(
    file: SourceFile, header: Header, cells: pd.Series
) -> tuple[NDArray[np.datetime64], bool]:
    """Return time stamps; `Z` is no UTC where they agree with the start on the device's clock."""
    times = read_times(cells, zone="")
    if times.bad_N.any():
        return _in_forms(file, header, cells, "timestamp", CLOCK_FORMS), False
    if not times.in_utc_N.any() or not len(cells):
        return times.time_N, False
    first = times.time_N[0] - times.time_N[0].astype("datetime64[D]")
    if first == _clock(pd.Series([header.start_time]))[0]:
        return times.time_N, False
    return read_times(cells, zone=file.zone).time_N, not file.zone
