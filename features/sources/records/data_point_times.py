"""When a data point of Open mHealth or IEEE 1752.1 was measured, on the wearer's wall clock.

A time frame is a moment, two times, one time and a duration, or a date with a part of the day. By
the schemas a time without an offset is in UTC.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import TIME
from contracts.errors import ContractError, Problem
from features.measurements.records import AMOUNT, END, PLACE, UPDATED, Amount
from features.measurements.wall_clock import ISO_FORM, Times, read_times
from features.recording import SourceFile, problem

ADVICE = "correct it and export again"
TIMES = f"write times as {ISO_FORM}"
DURATION_S = {"ms": 1e-3, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
TIME_COLUMNS = ("start", "finish", "duration_s", "part_of_day", "created")
_CLOCK = re.compile(r"[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?P<offset>Z|[+-][\d:]+)?$")


def left_out(
    file: SourceFile, schema: str, place: str, fault: str, cause: str, advice: str = ADVICE
) -> Problem:
    """Return the problem of a data point that can't be used."""
    found = f"{fault}, the data point was left out"
    return Problem(
        file=file.name, row=None, field=schema, found=found, advice=advice, cause=cause,
        places=(place,),
    )  # fmt: skip


def written_times(frame: Any) -> dict[str, Any]:
    """Return the written times of a point's `effective_time_frame`: `TIME_COLUMNS` without created.

    Raises
    ------
    ContractError
        A duration of months.
    """
    frame = frame if isinstance(frame, dict) else {}
    if "date_time" in frame:
        return {"start": _in_utc_by_default(frame["date_time"])}
    interval = frame.get("time_interval", {})
    if "date" in interval:
        return {"start": interval["date"], "part_of_day": interval["part_of_day"]}
    written: dict[str, Any] = {
        name: _in_utc_by_default(interval.get(key, ""))
        for name, key in (("start", "start_date_time"), ("finish", "end_date_time"))
    }
    if duration := interval.get("duration"):
        if duration["unit"] not in DURATION_S:
            raise ContractError(f"a duration in {duration['unit']} is not within a day", ADVICE)
        written["duration_s"] = duration["value"] * DURATION_S[duration["unit"]]
    return written


def _in_utc_by_default(written: str) -> str:
    """Return a date-time with the `Z` that its schema assumes where it has no offset."""
    text = written.strip().upper()
    clock = _CLOCK.search(text)
    return f"{text}Z" if clock and not clock["offset"] else text


def set_times(file: SourceFile, table: pd.DataFrame) -> list[Problem]:
    """Put the wall clock of each data point into the table; what has none can't be used."""
    start, finish, created = (
        read_times(table[name].fillna(""), zone=file.zone)
        for name in ("start", "finish", "created")
    )
    lasts_N = pd.to_timedelta(table["duration_s"].astype(float), unit="s").to_numpy()
    begin_N = np.where(np.isnat(start.time_N), finish.time_N - lasts_N, start.time_N)
    # Between two times with offsets lies what really went by, also when the clocks were changed.
    elapsed_N = _instants(finish) - _instants(start)
    elapsed_N = np.where(np.isnat(elapsed_N), finish.time_N - start.time_N, elapsed_N)
    elapsed_N = np.where(np.isnat(elapsed_N), lasts_N, elapsed_N)
    table[TIME], table[END] = begin_N, begin_N + elapsed_N
    table[UPDATED] = np.where(np.isnat(_instants(created)), created.time_N, _instants(created))
    usable_N = ~table[AMOUNT].isin([Amount.UNUSABLE, Amount.WITHDRAWN]).to_numpy()
    unread_N = usable_N & (np.isnat(begin_N) | finish.bad_N)
    reversed_N = usable_N & ~unread_N & (elapsed_N < np.timedelta64(0, "s"))
    problems = []
    for n in np.flatnonzero(unread_N | reversed_N):
        name = "finish" if finish.bad_N[n] else "start"
        written = table[name].fillna("").iloc[n]
        fault = f"{written!r} where a time is expected" if written else "it has no time"
        fault = "it ends before it starts" if reversed_N[n] else fault
        problems.append(
            left_out(file, table["schema"].iloc[n], table[PLACE].iloc[n], fault, "time", TIMES)
        )
    table.loc[unread_N | reversed_N, AMOUNT] = Amount.UNUSABLE
    in_utc = int((usable_N & (start.in_utc_N | finish.in_utc_N)).sum())
    if in_utc:
        found = f"the times of {in_utc} data point(s) are in UTC, and so are their days"
        problems.append(problem(file, "time", found, "declare time_zone in the map"))
    return problems


def _instants(times: Times) -> NDArray[np.datetime64]:
    return times.time_N - times.offset_N
