"""Fitbit's JSON: series of days of the Web API, and logs of sleep of the API and of Takeout.

A distance of the API is in kilometres or miles by the language of the request, which the file does
not hold: it is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TIME
from contracts.errors import Problem, SourceUnreadable
from features.measurements.records import (
    AMOUNT,
    END,
    FILE,
    PLACE,
    RECORD_ID,
    SOURCE,
    SUBJECT_LABEL,
    Amount,
    record_table,
)
from features.measurements.wall_clock import read_times
from features.recording import Reading, SourceFile, problem
from features.sources.devices.fitbit_days import FITBIT, RESTING, SLEEP, STEPS, unworn_days
from features.tables.text_tables import read_numbers

API_STEPS, API_DISTANCE, API_HEART = "activities-steps", "activities-distance", "activities-heart"
API_SERIES = (API_STEPS, API_DISTANCE, API_HEART)
SLEEP_FIELDS = ("logId", "dateOfSleep", "startTime", "endTime", "duration", "minutesAsleep")
SLEEP_KEYS = ("minutesAsleep", "logId", "timeInBed")
ADVICE = "check it in the file if it is needed"


def is_document(text: str) -> bool:
    """Recognise a document by its keys."""
    if text[:1] == "{" and any(f'"{name}"' in text for name in API_SERIES):
        return True
    has_keys = '"dateOfSleep"' in text and any(f'"{key}"' in text for key in SLEEP_KEYS)
    return text[:1] in {"{", "["} and has_keys


def read_document(file: SourceFile) -> Reading:
    """Return all statements of a document.

    Raises
    ------
    SourceUnreadable
        It is not JSON, or its dates are in another order than is declared.
    """
    try:
        document = json.loads(file.path.read_bytes(), parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise SourceUnreadable(
            file.name, "JSON", f"cannot be read ({error})", "download the file again"
        ) from error
    if isinstance(document, list):
        document = {"sleep": document}
    steps = _fields(_items(document, API_STEPS), ("dateTime", "value"))
    hearts = [_flat(item) for item in _items(document, API_HEART)]
    heart = _fields(hearts, ("dateTime", "restingHeartRate"))
    heart = heart[heart["restingHeartRate"] != ""]
    distances = _items(document, API_DISTANCE)
    parts = [
        _movement(file, steps),
        _series(file, API_HEART, heart, RESTING, 1.0),
        _sleep(file, _fields(_items(document, "sleep"), SLEEP_FIELDS)),
    ]
    tables = [record_table(table) for table, _ in parts if len(table)]
    dropped = [found for _, problems in parts for found in problems]
    return Reading(
        records=pd.concat(tables, ignore_index=True) if tables else None,
        dropped=(*dropped, *_without_unit(file, len(distances))),
    )


def _items(document: dict[str, Any], name: str) -> list[Any]:
    items = document.get(name, [])
    return items if isinstance(items, list) else [items]


def _flat(item: Any) -> Any:
    """Return a day of the heart series with its resting rate beside its date."""
    value = item.get("value") if isinstance(item, dict) else None
    return {**item, **value} if isinstance(value, dict) else item


def _fields(items: list[Any], names: Sequence[str]) -> pd.DataFrame:
    """Return fields of each item as text, empty where there is none; the index is its number."""
    rows = [
        [_cell(item.get(name)) if isinstance(item, dict) else "" for name in names]
        for item in items
    ]
    return pd.DataFrame(rows, columns=list(names), dtype=str)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value).strip() if plain else json.dumps(value)


def _without_unit(file: SourceFile, count: int) -> list[Problem]:
    if not count:
        return []
    found = (
        f"{count} distance(s) are in kilometres or miles by the language of the request, and the"
        " file does not say in which, they were left out"
    )
    advice = "write them as a table and name their unit in a column map (docs/importing.md)"
    return [problem(file, API_DISTANCE, found, advice)]


def _movement(file: SourceFile, table: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return steps; a day of 0 is one on which nothing shows that the tracker was worn."""
    statements, problems = _series(file, API_STEPS, table, STEPS, 1.0)
    nothing = (statements[AMOUNT] == str(Amount.TOTAL)) & (statements[NUMBER] == 0)
    if nothing.any():
        day_N = statements.loc[nothing, TIME].to_numpy()
        problems.append(unworn_days(file, API_STEPS, day_N, "0 steps"))
    return statements[~nothing], problems


def _series(
    file: SourceFile, name: str, table: pd.DataFrame, code: str, factor: float
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the days of a series with a date and a value."""
    date, value = table.columns
    day_N, problems = _times(file, name, table[date])
    problems += _absent(file, name, table[date], "no date")
    return _valued(file, name, table[value], day_N, code, factor, Amount.TOTAL, problems)


def _sleep(file: SourceFile, table: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return each log of sleep: from its start to its end where it has them, else on its day."""
    day_N, problems = _times(file, "sleep", table["dateOfSleep"])
    start_N, more = _times(file, "sleep", table["startTime"])
    end_N, most = _times(file, "sleep", table["endTime"])
    problems += more + most
    milliseconds_N = np.nan_to_num(read_numbers(table["duration"]).value_N, nan=-1.0)
    length_N = milliseconds_N.astype("timedelta64[ms]")
    end_N = np.where(np.isnat(end_N), start_N + length_N, end_N)
    whole_N = end_N > start_N
    time_N = np.where(whole_N, start_N, day_N)
    if more or most:  # Which of its times is wrong nobody knows.
        unread_N = np.isnat(start_N) & (table["startTime"] != "").to_numpy()
        time_N[unread_N | (np.isnat(end_N) & (table["endTime"] != "").to_numpy())] = "NaT"
    problems += _absent(file, "sleep", table["dateOfSleep"].where(~whole_N, "known"), "no date")
    statements, problems = _valued(
        file, "sleep", table["minutesAsleep"], time_N, SLEEP, 1 / 60, Amount.PART, problems
    )
    at_N = statements.index.to_numpy()
    log = table["logId"].iloc[at_N]
    return statements.assign(
        **{
            END: np.where(whole_N, end_N, np.datetime64("NaT"))[at_N],
            RECORD_ID: (f"{file.subject_label}/sleep/" + log).where(log != "", ""),
        }
    ), problems


def _times(
    file: SourceFile, name: str, cells: pd.Series
) -> tuple[NDArray[np.datetime64], list[Problem]]:
    times = read_times(cells, zone=file.zone, form=file.form.date_format)
    if times.other_order_N.any():
        first = cells[times.other_order_N]
        raise SourceUnreadable(
            file.name, name,
            f"item {first.index[0]} holds the {cells.name} {first.iloc[0]!r}, which may be day or"
            " month first",
            "declare the form of its dates as date_format in [[files]] of the map",
        )  # fmt: skip
    return times.time_N, [
        _problem(file, name, int(str(n)), f"{cell!r} is no {cells.name}", "no date")
        for n, cell in cells[times.bad_N].items()
    ]


def _valued(
    file: SourceFile,
    name: str,
    cells: pd.Series,
    time_N: NDArray[np.datetime64],
    code: str,
    factor: float,
    amount: Amount,
    problems: list[Problem],
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return statements by item number, and problems with those that have no value."""
    read = read_numbers(cells)
    bad_N = read.bad_N | read.undeclared_N
    problems = problems + [
        _problem(file, name, int(str(n)), f"{cell!r} where a number is expected", "no number")
        for n, cell in cells[bad_N].items()
    ]
    problems += _absent(file, name, cells, f"no {cells.name}")
    kept_N = ~np.isnat(time_N) & (np.isfinite(read.value_N) | bad_N)
    at_N = np.flatnonzero(kept_N)
    statements = pd.DataFrame(
        {
            SUBJECT_LABEL: file.subject_label,
            TIME: time_N[at_N],
            CODE: code,
            NUMBER: read.value_N[at_N] * factor,
            AMOUNT: np.where(bad_N[at_N], str(Amount.UNUSABLE), str(amount)),
            SOURCE: FITBIT,
            FILE: file.name,
            PLACE: [f"{name}[{item}]" for item in cells.index[kept_N]],
        },
        index=at_N,
    )
    return statements, problems


def _absent(file: SourceFile, name: str, cells: pd.Series, found: str) -> list[Problem]:
    return [_problem(file, name, int(str(n)), found, found) for n in cells.index[cells == ""]]


def _problem(file: SourceFile, name: str, item: int, found: str, cause: str) -> Problem:
    return Problem(
        file=file.name,
        row=None,
        field=name,
        found=f"item {item} has {found}, it was left out",
        advice=ADVICE,
        cause=cause,
        places=(f"item {item}",),
    )
