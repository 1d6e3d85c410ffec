"""Fitbit days: the API's or Takeout's JSON, and daily CSV tables.

An intraday Takeout series (`[{"dateTime", "value"}]`) names its quantity in its file name only and
has times in UTC: such a file is refused with what to do instead.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from contracts.errors import Problem, SourceUnreadable
from features.measurements.records import records
from features.recording import Reading, SourceFile, problem
from features.sources.format import Format

STEPS, DISTANCE = "LOINC//41950-7", "REHABCAST//DISTANCE"
RESTING, SLEEP, ACTIVE = "LOINC//40443-4", "REHABCAST//SLEEP", "REHABCAST//ACTIVE_TIME"

SERIES = {
    "activities-steps": (STEPS, 1.0),
    "activities-distance": (DISTANCE, 1.0),
}
"""API series by name; distances are in km when the request asked for metric units."""

COLUMNS = {
    "TotalSteps": (STEPS, 1.0),
    "TotalDistance": (DISTANCE, 1.0),
    "TotalMinutesAsleep": (SLEEP, 1 / 60),
    "RestingHeartRate": (RESTING, 1.0),
    "steps": (STEPS, 1.0),
    "distance": (DISTANCE, 0.001),
    "resting_hr": (RESTING, 1.0),
    "minutesAsleep": (SLEEP, 1 / 60),
    "rmssd": ("REHABCAST//RMSSD", 1.0),
    "bpm": ("REHABCAST//HEART_RATE", 1.0),
}
"""Columns of the Fitabase daily export (capitals) and of LifeSnaps (m, min)."""

ACTIVE_COLUMNS = (
    ("VeryActiveMinutes", "FairlyActiveMinutes"),
    ("very_active_minutes", "moderately_active_minutes"),
)
"""Vigorous and moderate minutes, added up."""

SEDENTARY_COLUMNS = ("SedentaryMinutes", "sedentary_minutes")
WHOLE_DAY_MIN = 1440
MOVEMENT = {STEPS, DISTANCE, ACTIVE}
"""What a tracker in a drawer counts as 0: its whole day is sedentary."""

ADVICE = "check it in the file if it is needed"
SUBJECT_COLUMNS, DATE_COLUMNS = ("Id", "id"), ("ActivityDate", "SleepDay", "date")


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield the days of one file."""
    try:
        text = file.path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnreadable(
            file.name, "*", f"not UTF-8 text ({error})", "save it as UTF-8"
        ) from error
    yield _json(file, text) if text.lstrip()[:1] in {"{", "["} else _table(file)


def _json(file: SourceFile, text: str) -> Reading:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceUnreadable(
            file.name, "JSON", f"cannot be read ({error})", "download the file again"
        ) from error
    if isinstance(document, list):
        if document and isinstance(document[0], dict) and "dateOfSleep" in document[0]:
            document = {"sleep": document}
        else:
            raise SourceUnreadable(
                file.name,
                "[0]",
                "an intraday Takeout series names its quantity only in its file name and has times"
                " in UTC",
                "export daily values, or import it as a table with a column map",
            )
    rows: list[tuple[Any, ...]] = []
    dropped: list[Problem] = []
    for name, (code, factor) in SERIES.items():
        for number, item in enumerate(_items(document, name)):
            _day(file, f"{name}[{number}]", item, "dateTime", "value", code, factor, rows, dropped)
    for number, item in enumerate(_items(document, "activities-heart")):
        value = item.get("value") if isinstance(item, dict) else None
        if isinstance(value, dict) and "restingHeartRate" in value:
            flat = {"dateTime": item.get("dateTime"), **value}
            where = f"activities-heart[{number}]"
            _day(file, where, flat, "dateTime", "restingHeartRate", RESTING, 1, rows, dropped)
    for number, item in enumerate(_items(document, "sleep")):
        where = f"sleep[{number}]"
        _day(file, where, item, "dateOfSleep", "minutesAsleep", SLEEP, 1 / 60, rows, dropped)
    return _reading(file, rows, dropped)


def _items(document: dict[str, Any], name: str) -> list[Any]:
    items = document.get(name, [])
    return items if isinstance(items, list) else []


def _day(
    file: SourceFile,
    where: str,
    item: Any,
    date: str,
    value: str,
    code: str,
    factor: float,
    rows: list[tuple[Any, ...]],
    dropped: list[Problem],
) -> None:
    try:
        day = pd.to_datetime(str(item[date]), format="%Y-%m-%d")
        number = float(item[value]) * factor
        if not math.isfinite(number):
            raise ValueError(f"{number} is not finite")
    except (KeyError, TypeError, ValueError) as error:
        found = f"no {date} and {value} ({error}), the day was left out"
        dropped.append(problem(file, where, found, ADVICE))
        return
    rows.append((file.subject_label, day, code, number, None))


def _table(file: SourceFile) -> Reading:
    try:
        table = pd.read_csv(file.path, dtype=str, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise SourceUnreadable(
            file.name, "CSV", f"cannot be read ({error})", "download the file again"
        ) from error
    subject = next((name for name in SUBJECT_COLUMNS if name in table), None)
    date = next((name for name in DATE_COLUMNS if name in table), None)
    known = [name for name in COLUMNS if name in table]
    if date is None or not known:
        raise SourceUnreadable(
            file.name,
            "row 1",
            f"no date and no known column among {', '.join(map(str, table.columns[:12]))}",
            "export daily values, or import it as a table with a column map",
        )
    for pair in ACTIVE_COLUMNS:
        if set(pair) <= set(table.columns):
            both = table[list(pair)].apply(pd.to_numeric, errors="coerce").sum(axis=1, skipna=False)
            table = table.assign(**{ACTIVE: both.map(lambda v: None if pd.isna(v) else str(v))})
            known = [*known, ACTIVE]
    table, dropped = _without_unworn_days(file, table, known)
    days = pd.to_datetime(table[date], errors="coerce", format="mixed").dt.normalize()
    labels = (
        table[subject].fillna("") if subject else pd.Series(file.subject_label, index=table.index)
    )
    dropped += [
        Problem(
            file=file.name,
            row=row + 2,
            field=date,
            found="no date in this row, it was left out",
            advice=ADVICE,
        )
        for row in table.index[days.isna()].tolist()
    ]
    rows: list[tuple[Any, ...]] = []
    for name in known:
        code, factor = COLUMNS.get(name, (name, 1.0))
        number = pd.to_numeric(table[name], errors="coerce")
        bad = table[name].notna() & ~number.between(-math.inf, math.inf, inclusive="neither")
        dropped += [
            Problem(
                file=file.name,
                row=row + 2,
                field=name,
                found=f"{table.at[row, name]!r} where a number is expected, it was left out",
                advice=ADVICE,
            )
            for row in table.index[bad].tolist()
        ]
        good = number.notna() & ~bad & days.notna()
        rows += [
            (str(w), d, code, float(v) * factor, None)
            for w, d, v in zip(labels[good], days[good], number[good], strict=True)
        ]
    return _reading(file, rows, dropped)


def _without_unworn_days(
    file: SourceFile, table: pd.DataFrame, known: list[str]
) -> tuple[pd.DataFrame, list[Problem]]:
    """Empty the movement of days that are sedentary throughout: nobody wore the tracker."""
    column = next((name for name in SEDENTARY_COLUMNS if name in table), None)
    if column is None:
        return table, []
    unworn = pd.to_numeric(table[column], errors="coerce") >= WHOLE_DAY_MIN
    if not unworn.any():
        return table, []
    movement = [name for name in known if COLUMNS.get(name, (name, 1.0))[0] in MOVEMENT]
    # Nothing needs to be done: the tracker lay in a drawer.
    found = (
        f"{int(unworn.sum())} day(s) of 24 sedentary hours, on which the tracker was not worn;"
        f" {', '.join(movement)} of these days were left out"
    )
    mask = pd.DataFrame({name: unworn for name in movement})
    emptied = table[movement].mask(mask)
    return table.assign(**{name: emptied[name] for name in movement}), [
        problem(file, column, found)
    ]


def _reading(file: SourceFile, rows: list[tuple[Any, ...]], dropped: list[Problem]) -> Reading:
    table = records(rows)
    # A day on which a person slept twice is one day of sleep.
    twice = table[table["code"] == SLEEP]
    if twice.duplicated(["subject_label", "time"]).any():
        summed = twice.groupby(["subject_label", "time"], as_index=False)["numeric_value"].sum()
        rest = table[table["code"] != SLEEP]
        table = pd.concat(
            [rest, summed.assign(code=SLEEP, text_value=None)[list(table.columns)]],
            ignore_index=True,
        )
    return Reading(records=table, dropped=tuple(dropped))


def _matches(head: bytes) -> bool:
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    if start[:1] == b"{":
        return any(f'"{name}"'.encode() in head for name in (*SERIES, "activities-heart")) or (
            b'"dateOfSleep"' in head
        )
    if start[:1] == b"[":
        return b'"dateOfSleep"' in head or (b'"dateTime"' in head and b'"value"' in head)
    header = start.split(b"\n", 1)[0].decode("latin-1").strip().replace('"', "").split(",")
    return (
        bool(set(header) & set(SUBJECT_COLUMNS))
        and bool(set(header) & set(DATE_COLUMNS))
        and len(set(header) & set(COLUMNS)) > 0
    )


FORMAT = Format(name="fitbit", title="Fitbit daily export", matches=_matches, read=read)
