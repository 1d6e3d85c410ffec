"""Checks of the cohort contract: every violation, with file, row, field and subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import Problem
from contracts.naming.units import unit_in_words
from contracts.vocabulary import Code, Codes, Kind, vocabulary
from features.event_report import ROW, EventReport, Mask
from features.measurements.amounts import Integers, number_groups
from features.measurements.plausible import is_outside
from features.measurements.wall_clock import EARLIEST, latest_possible

HEADER_ROWS = 2
"""Added to a zero-based position to count as a spreadsheet does: the header is row 1."""

EXACT_FLOATS = 2**53
"""From this number on a floating-point number stands for several whole ones."""

NEVER, LATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
"""Day of what has no time, and one after all others."""

FIRST_YEAR, LAST_YEAR = (pd.Timestamp(f"{year}-01-01").as_unit("us") for year in (1678, 2262))
"""What nanoseconds can hold."""

UNKNOWN_CODES = "codes that are not in the vocabulary"
SHIFTED = "declare that all dates were shifted for anonymity (dates_shifted)"


def check_events(
    events: pd.DataFrame,
    *,
    file: str,
    rows: pd.Series | None = None,
    labels: Mapping[int, str] | None = None,
    dates_shifted: bool = False,
    since: pd.Timestamp | None = None,
    codes: Codes | None = None,
) -> list[Problem]:
    """Return every violation of `contracts.cohort`, empty for a valid cohort.

    Parameters
    ----------
    events
        Columns of `contracts.cohort.COLUMNS`, in any order of rows.
    file
        Name that problems are reported with.
    rows
        Row in the source of each event; by default the position in `events` plus the header.
    labels
        The source's identifiers by subject, with which every problem names its subject; None where
        the rows are of one subject whom the reader knows.
    dates_shifted
        Whether the dates are declared as nobody's real ones.
    since
        The onset, where dates are laid out from days that were sent: they are told as such days.
    codes
        What the codes mean that may be used; by default everything that this process knows.
    """
    if rows is None:
        rows = pd.Series(np.arange(len(events)) + HEADER_ROWS, index=events.index)
    located = events.assign(**{ROW: rows.to_numpy()}).reset_index(drop=True)
    report, problems = _with_subject(EventReport(file=file, labels=labels, events=located))
    report, more = _with_known_code(report, vocabulary() if codes is None else codes)
    problems += more
    if report.events.empty:
        return problems
    kinds, day_N = _Codes.of(report.events[CODE]), _days(report.events[TIME])
    day: WriteDay = _day if since is None else partial(_day_since, since)
    return [
        *problems,
        *_times(report, kinds, day_N, day),
        *_years(report, dates_shifted=dates_shifted),
        *_values(report, kinds),
        *_repeats(report, kinds, day_N, day),
        *_dates(report, kinds, day_N, day),
    ]


def bad_labels(text: pd.Series, entry: Code) -> pd.Series:
    """Return which texts are no label of a fact."""
    if entry.labels:
        return ~text.isin(entry.labels)
    return text.isna() | (text.astype("string").str.len().fillna(0) == 0)


def is_impossible_date(
    time: pd.Series, *, dates_shifted: bool = False
) -> tuple[pd.Series, pd.Series]:
    """Return which dates lie before 1990, and which after tomorrow.

    Dates that are declared as shifted may lie anywhere within the years that nanoseconds can hold.
    """
    if dates_shifted:
        return time < FIRST_YEAR, time >= LAST_YEAR
    return time < EARLIEST, time >= latest_possible()


def _day(time: pd.Timestamp) -> str:
    """Return a day in ISO 8601, of any year: damaged files have those that no calendar has."""
    return str(np.datetime_as_string(time.to_datetime64(), unit="D"))


def _day_since(onset: pd.Timestamp, time: pd.Timestamp) -> str:
    """Return a day as it was sent."""
    return f"day {(time - onset).days} after the onset"


WriteDay = Callable[[pd.Timestamp], str]
"""How a day is written in a message."""


@dataclass(frozen=True, slots=True)
class _Codes:
    """The code of each row, by its number among the different ones (letter K)."""

    number_N: Integers
    entries_K: Sequence[Code]

    @classmethod
    def of(cls, codes: pd.Series) -> _Codes:
        number_N, names_K = pd.factorize(codes)
        return cls(number_N, [vocabulary()[str(name)] for name in names_K])

    def are(self, holds: Callable[[Code], bool]) -> Mask:
        """Return which rows have a code of which something holds."""
        return np.array([holds(entry) for entry in self.entries_K], dtype=np.bool_)[self.number_N]


def _days(time: pd.Series) -> Integers:
    """Return days since 1970, `NEVER` where there is no time."""
    return time.to_numpy().astype("datetime64[D]").astype(np.int64)


def _is_whole(subject: pd.Series) -> Mask:
    if not pd.api.types.is_float_dtype(subject.dtype):
        return np.ones(len(subject), dtype=np.bool_)
    return np.asarray((subject % 1 == 0) & (subject.abs() < EXACT_FLOATS), dtype=np.bool_)


def _with_subject(report: EventReport) -> tuple[EventReport, list[Problem]]:
    """Leave out rows that are of nobody, or of a number that stands for several people."""
    nobody_N = report.events[SUBJECT].isna().to_numpy()
    problems = report.rows(
        nobody_N, SUBJECT, lambda _: "no subject",
        "fill in the subject's id", "rows without a subject",
    )  # fmt: skip
    report = report.without(nobody_N)
    inexact_N = ~_is_whole(report.events[SUBJECT])
    problems += report.rows(
        inexact_N, SUBJECT, lambda _: "the id is not an exact whole number",
        "write subject ids as integers, not as floating-point numbers", "ids that are no integers",
    )  # fmt: skip
    report = report.without(inexact_N)
    if report.events[SUBJECT].dtype != np.int64:
        # With rows that have no subject pandas holds ids as floats or objects.
        report = replace(report, events=report.events.astype({SUBJECT: "int64"}))
    return report, problems


def _with_known_code(report: EventReport, codes: Codes) -> tuple[EventReport, list[Problem]]:
    unknown_N = ~report.events[CODE].isin(list(codes)).to_numpy()
    problems = report.rows(
        unknown_N,
        CODE,
        lambda row: f"{row[CODE]!r} is not in the vocabulary",
        "map it to one of its codes, define it (docs/vocabulary.md), or leave it out",
        UNKNOWN_CODES,
    )
    return report.without(unknown_N), problems


def _times(report: EventReport, codes: _Codes, day_N: Integers, write: WriteDay) -> list[Problem]:
    fact_N, timed_N = codes.are(lambda entry: entry.kind is Kind.PERSON), day_N != NEVER
    return [
        *report.rows(
            fact_N & timed_N, None,
            lambda row: f"a fact of the person has a time ({write(row[TIME])})",
            "leave the time empty", "facts of a person with a time",
        ),
        *report.rows(
            ~fact_N & ~timed_N, None, lambda _: "no time",
            "say when it was measured", "values without a time",
        ),
    ]  # fmt: skip


def _years(report: EventReport, *, dates_shifted: bool) -> list[Problem]:
    early, late = is_impossible_date(report.events[TIME], dates_shifted=dates_shifted)
    return [
        *report.rows(
            early.to_numpy(), None, lambda row: f"{_day(row[TIME])} lies before 1990",
            f"correct the date, or {SHIFTED}", "dates before 1990",
        ),
        *report.rows(
            late.to_numpy(), None, lambda row: f"{_day(row[TIME])} lies in the future",
            f"correct the date, or {SHIFTED}", "dates in the future",
        ),
    ]  # fmt: skip


def _values(report: EventReport, codes: _Codes) -> list[Problem]:
    """Look at values code by code, but only at those of codes of which one may be wrong."""
    events = report.events
    doubtful_N = is_outside(events[CODE], events[NUMBER]).to_numpy() | codes.are(
        lambda entry: entry.kind is Kind.PERSON and not entry.is_numeric
    )
    problems: list[Problem] = []
    if not doubtful_N.any():
        return problems
    for code, rows in events[doubtful_N].groupby(CODE, sort=True, observed=True):
        entry, part = vocabulary()[str(code)], replace(report, events=rows)
        problems += _numbers(part, entry) if entry.is_numeric else _labels(part, entry)
    return problems


def _numbers(report: EventReport, entry: Code) -> list[Problem]:
    number_N = report.events[NUMBER].to_numpy(dtype=np.float64)
    missing_N = ~np.isfinite(number_N)
    expected = f"{entry.low:g} to {entry.high:g} {unit_in_words(entry.unit)}".rstrip()
    expected += entry.doubt("range")
    return [
        *report.rows(
            missing_N,
            None,
            lambda _: f"there is no number, expected {expected}",
            "leave the row out: a missing value has no row",
            "values that are no numbers",
        ),
        *report.rows(
            ~missing_N,
            None,
            lambda row: f"value {row[NUMBER]:g} is impossible, expected {expected}",
            "check the entry and its unit",
            "values outside the possible range",
        ),
    ]


def _labels(report: EventReport, entry: Code) -> list[Problem]:
    expected = ", ".join(entry.labels) if entry.labels else "any short label"
    return report.rows(
        bad_labels(report.events[TEXT], entry).to_numpy(dtype=np.bool_),
        None,
        lambda row: f"label is {row[TEXT]!r}, expected {expected}",
        "leave the row out: an unknown label has no row",
        "unknown labels",
    )


def _repeats(report: EventReport, codes: _Codes, day_N: Integers, write: WriteDay) -> list[Problem]:
    # There is one onset and one enrolment, on whatever day; anything else may come once a day.
    day_N = np.where(codes.are(lambda entry: entry.code in {ONSET, ENROLMENT}), NEVER, day_N)
    subject_N = report.events[SUBJECT].to_numpy()
    _, first_G = number_groups(subject_N, codes.number_N, day_N)
    again_N = np.ones(len(day_N), dtype=np.bool_)
    again_N[first_G] = False

    def found(row: Mapping[Any, Any]) -> str:
        dated = row[CODE] not in {ONSET, ENROLMENT} and not pd.isna(row[TIME])
        on = f" on {write(row[TIME])}" if dated else ""
        return f"{report.who(row)} already has one{on}"

    return report.rows(
        again_N, None, found, "keep one", "second values of one subject, code and day",
        names_whose=True,
    )  # fmt: skip


def _dates(report: EventReport, codes: _Codes, day_N: Integers, write: WriteDay) -> list[Problem]:
    person_N, first_P = number_groups(report.events[SUBJECT].to_numpy())
    everyone = replace(report, events=report.events.iloc[first_P])
    problems, first_day = [], {}
    for code in (ONSET, ENROLMENT):
        own_N = codes.are(lambda entry, code=code: entry.code == code) & (day_N != NEVER)  # type: ignore[misc]
        day_P = np.full(len(first_P), LATEST)
        np.minimum.at(day_P, person_N[own_N], day_N[own_N])
        first_day[code], name = day_P, vocabulary()[code].name
        problems += everyone.rows(
            day_P == LATEST, code,
            lambda row, name=name: f"{report.who(row)} has no {name}",  # type: ignore[misc]
            "add its date", f"subjects without {name}", names_whose=True,
        )  # fmt: skip
    onset_N = first_day[ONSET][person_N]
    return problems + report.rows(
        (day_N != NEVER) & (onset_N != LATEST) & (day_N < onset_N),
        None,
        lambda row: f"{write(row[TIME])} lies before the onset of {report.who(row)}",
        "check both dates",
        "dates before the onset",
        names_whose=True,
    )
