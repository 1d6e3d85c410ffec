"""What FHIR resources state, before it is a table: statements, and what is left out and why.

Times are read here, all at once: thousands of resources have one each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contracts.cohort import CODE, NUMBER, ONSET, TEXT, TIME
from contracts.errors import Problem
from features.measurements.days import LONGEST, SLEEP, is_added_up
from features.measurements.records import (
    AMOUNT,
    DEATH,
    END,
    FILE,
    PLACE,
    RECORD_ID,
    SOURCE,
    SUBJECT_LABEL,
    UPDATED,
    VERSION,
    Amount,
    record_table,
)
from features.measurements.wall_clock import read_instants, read_times

WHOLE_DAY = pd.Timedelta(hours=23)
"""A period at least as long is a day: one of 23 hours is when daylight saving begins."""

BY_PERIOD = "by period"
"""Amount of a daily value until its period is read: a day's figure, a part of it, or a reading."""

MINUTES = "minutes"
"""Amount of a session until its period is read: its number is how long it took."""

OF_NO_USE = frozenset({"resourceType", "Observation.code", "Condition.code", "Procedure.code"})
"""Fields of what no forecast uses: other kinds of resources and codes, left out without harm."""

EXPORT_AGAIN = "correct it in the source and export it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Why a resource, or a part of it, is left out.

    Parameters
    ----------
    field
        The code or the resource that it is about.
    found, advice, cause
        As in `Problem`.
    """

    field: str
    found: str
    advice: str = EXPORT_AGAIN
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a resource; times as written.

    Parameters
    ----------
    code, number, text, source
        As in a record.
    start, end
        FHIR dateTimes; empty where there is none.
    amount
        An `Amount`, or `BY_PERIOD` or `MINUTES`.
    side
        Of the body that a score is of, as `fhir_sides.side_of` says it; empty where none is named.
    """

    code: str
    start: str = ""
    end: str = ""
    number: float | None = None
    text: str | None = None
    amount: str = Amount.ONCE
    source: str = ""
    side: str = ""


Said = Statement | LeftOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Which resource a statement is of, and where it stands.

    Parameters
    ----------
    label
        Whom it is about; empty where that is not known.
    record_id, number, updated
        The resource's identity, version number (NaN) and time of its last change as written.
    place
        In the file.
    """

    label: str
    record_id: str
    number: float
    updated: str
    place: str


def withdrawn(kind: str) -> Statement:
    """Return that a version of a resource holds nothing usable."""
    return Statement(code=kind, amount=Amount.WITHDRAWN)


def table_of(
    stated: Sequence[tuple[Version, Statement]], *, file: str, zone: str
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return statements as records, and the problems of their times."""
    rows = _rows(stated, file)
    start, end = (read_times(rows[name], zone=zone) for name in ("start_text", "end_text"))
    rows[TIME], rows[END] = start.time_N, end.time_N
    rows[UPDATED] = read_instants(rows["updated_text"])
    problems = _unreadable(rows, start.bad_N, end.bad_N)
    unreadable = pd.Series((start.bad_N | end.bad_N) & (rows[CODE] != DEATH), index=rows.index)
    rows.loc[unreadable, AMOUNT] = str(Amount.WITHDRAWN)
    in_utc = pd.Series(start.in_utc_N | end.in_utc_N, index=rows.index)
    problems += _in_utc(rows[in_utc & (rows[AMOUNT] != Amount.WITHDRAWN)], file)
    rows, more = _periods(rows)
    return record_table(rows), [*problems, *more]


def _rows(stated: Sequence[tuple[Version, Statement]], file: str) -> pd.DataFrame:
    columns = [
        SUBJECT_LABEL, RECORD_ID, VERSION, "updated_text", PLACE, CODE, "start_text", "end_text",
        NUMBER, TEXT, AMOUNT, SOURCE,
    ]  # fmt: skip
    rows = [
        (
            version.label, version.record_id, version.number, version.updated, version.place,
            s.code, s.start, s.end, s.number, s.text, str(s.amount), s.source,
        )
        for version, s in stated
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(file=file, numeric_value=table[NUMBER].astype(float))


def _problem(row: pd.Series, found: str, advice: str, cause: str) -> Problem:
    return Problem(
        file=row[FILE], row=None, places=(row[PLACE],), field=row[CODE], found=found,
        advice=advice, cause=cause,
    )  # fmt: skip


def _unreadable(rows: pd.DataFrame, *bad: np.ndarray) -> list[Problem]:
    wrong = rows[np.logical_or(*bad)]
    return [
        _problem(
            row,
            "the onset is not known: its date has no day"
            if row[CODE] == ONSET
            else f"{'death' if row[CODE] == DEATH else 'a value'} whose date has no day",
            "give the day",
            "dates without a day",
        )
        for _, row in wrong.iterrows()
    ]


def _in_utc(rows: pd.DataFrame, file: str) -> list[Problem]:
    if rows.empty:
        return []
    return [
        Problem(
            file=file,
            row=None,
            field="time",
            found=f"{len(rows)} time(s) in UTC whose time zone is not known: their days are days in"
            " UTC",
            advice="export times with the patient's own offset, or declare time_zone in the map",
            cause="times in UTC",
        )
    ]


def _periods(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Decide by its period what a daily value is, and how long a session took."""
    by_period, session = rows[AMOUNT] == BY_PERIOD, rows[AMOUNT] == MINUTES
    if not (by_period | session).any():
        return rows, []
    length = _lengths(rows)
    nothing = pd.Timedelta(0)
    reversed_ = (by_period & (length < nothing)) | (session & (length <= nothing))
    problems = [
        _problem(row, "a period that does not end after it starts", EXPORT_AGAIN, "empty periods")
        for _, row in rows[reversed_].iterrows()
    ]
    added = rows[CODE].map(is_added_up).astype(bool) | (rows[CODE] == SLEEP)
    part = by_period & (length < WHOLE_DAY)
    amount = rows[AMOUNT].mask(by_period & added, str(Amount.TOTAL))
    amount = amount.mask(by_period & ~added & length.notna(), str(Amount.TOTAL))
    amount = amount.mask(by_period & ~added & length.isna(), str(Amount.READING))
    amount = amount.mask(part & added, str(Amount.PART)).mask(part & ~added, str(Amount.READING))
    amount = amount.mask(session, str(Amount.PART)).mask(reversed_, str(Amount.UNUSABLE))
    number = rows[NUMBER].where(~session, length.dt.total_seconds() / 60)
    # A day's figure has no end, unless its period is too long to be of one day.
    shown = part | session | (by_period & (length > LONGEST))
    end = (rows[TIME] + length).where(shown & ~reversed_)
    return rows.assign(**{AMOUNT: amount, NUMBER: number, END: end}), problems


def _lengths(rows: pd.DataFrame) -> pd.Series:
    """Return how long periods are, by the instants where both ends have an offset.

    The end of a period that is a date is that day's end (FHIR R4, Period.end).
    """
    dated = rows["end_text"].str.len() == len("2024-03-05")
    end = rows[END] + pd.to_timedelta(dated.astype(int), unit="D")
    instants = [pd.Series(read_instants(rows[n]), index=rows.index) for n in
                ("start_text", "end_text")]  # fmt: skip
    return (instants[1] - instants[0]).fillna(end - rows[TIME])
