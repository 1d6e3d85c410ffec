"""Checks of the cohort contract: every violation, with file, row, field and subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, label_of
from contracts.errors import Problem
from contracts.vocabulary import Code, Kind, vocabulary
from features.measurements.wall_clock import EARLIEST, latest_possible

HEADER_ROWS = 2
"""Added to a zero-based position to count as a spreadsheet does: the header is row 1."""

EXACT_FLOATS = 2**53
"""From this number on a floating-point number stands for several whole ones."""

MOST_LISTED = 1000
"""Rows of one fault that become problems of their own; more are counted with the last of them."""

FIRST_YEAR, LAST_YEAR = (pd.Timestamp(f"{year}-01-01").as_unit("us") for year in (1678, 2262))
"""What nanoseconds can hold."""

SHIFTED = "declare that all dates were shifted for anonymity (dates_shifted)"


def check_events(
    events: pd.DataFrame,
    *,
    file: str,
    rows: pd.Series | None = None,
    labels: Mapping[int, str] | None = None,
    dates_shifted: bool = False,
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
    """
    if rows is None:
        rows = pd.Series(np.arange(len(events)) + HEADER_ROWS, index=events.index)
    located = events.assign(
        row=rows.to_numpy(),
        kind=events[CODE].map({code: str(entry.kind) for code, entry in vocabulary().items()}),
    ).reset_index(drop=True)
    report = _Report(file=file, labels=labels)
    has_subject = located[SUBJECT].notna()
    problems = [*_no_subject(located[~has_subject], report)]
    located = located[has_subject]
    exact = _is_whole(located[SUBJECT])
    problems += report.rows(
        located[~exact], SUBJECT, lambda _: "the id is not an exact whole number",
        "write subject ids as integers, not as floating-point numbers", "ids that are no integers",
    )  # fmt: skip
    # With rows that have no subject pandas holds ids as floats or objects.
    located = located[exact].astype({SUBJECT: "int64"})
    problems += _unknown_codes(located, report)
    known = located[located["kind"].notna()]
    if known.empty:
        return problems
    return [
        *problems,
        *_times(known, report),
        *_years(known, report, dates_shifted=dates_shifted),
        *_values(known, report),
        *_repeats(known, report),
        *_dates(known, report),
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


Wording = Callable[[pd.Series], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """Words the problems of one file."""

    file: str
    labels: Mapping[int, str] | None

    def who(self, row: pd.Series) -> str:
        return label_of(row[SUBJECT], self.labels or {})

    def rows(
        self, rows: pd.DataFrame, field: str | None, found: Wording, advice: str, cause: str
    ) -> list[Problem]:
        """Return a problem for each row; without a field it is that of the row's code."""
        if rows.empty:
            return []
        groups = [(field, rows)] if field else rows.groupby(CODE, sort=False, observed=True)
        return [
            problem
            for name, part in groups
            if len(part)
            for problem in self._listed(part, str(name), found, advice, cause)
        ]

    def _listed(
        self, rows: pd.DataFrame, field: str, found: Wording, advice: str, cause: str
    ) -> Iterator[Problem]:
        for number, (_, row) in enumerate(rows.head(MOST_LISTED).iterrows(), start=1):
            problem = Problem(
                file=self.file,
                row=int(row["row"]),
                field=field,
                found=self._named(row, found(row)),
                advice=advice,
                cause=cause,
            )
            last = number == MOST_LISTED
            yield replace(problem, count=len(rows) - MOST_LISTED + 1) if last else problem

    def _named(self, row: pd.Series, found: str) -> str:
        named = self.labels is None or pd.isna(row[SUBJECT]) or "subject " in found
        return found if named else f"{found} (subject {self.who(row)})"


def _is_whole(subject: pd.Series) -> pd.Series:
    if not pd.api.types.is_float_dtype(subject.dtype):
        return pd.Series(True, index=subject.index)
    return (subject % 1 == 0) & (subject.abs() < EXACT_FLOATS)


def _no_subject(rows: pd.DataFrame, report: _Report) -> list[Problem]:
    return report.rows(
        rows, SUBJECT, lambda _: "no subject", "fill in the subject's id", "rows without a subject"
    )


def _unknown_codes(events: pd.DataFrame, report: _Report) -> list[Problem]:
    return report.rows(
        events[events["kind"].isna()],
        CODE,
        lambda row: f"{row[CODE]!r} is not in the vocabulary",
        "map it to one of its codes, or leave it out",
        "codes that are not in the vocabulary",
    )


def _times(events: pd.DataFrame, report: _Report) -> list[Problem]:
    is_fact = events["kind"] == str(Kind.PERSON)
    return [
        *report.rows(
            events[is_fact & events[TIME].notna()],
            None,
            lambda row: f"a fact of the person has a time ({row[TIME]})",
            "leave the time empty",
            "facts of a person with a time",
        ),
        *report.rows(
            events[~is_fact & events[TIME].isna()],
            None,
            lambda _: "no time",
            "say when it was measured",
            "values without a time",
        ),
    ]


def _years(events: pd.DataFrame, report: _Report, *, dates_shifted: bool) -> list[Problem]:
    early, late = is_impossible_date(events[TIME], dates_shifted=dates_shifted)
    return [
        *report.rows(
            events[early], None, lambda row: f"{_day(row[TIME])} lies before 1990",
            f"correct the date, or {SHIFTED}", "dates before 1990",
        ),
        *report.rows(
            events[late], None, lambda row: f"{_day(row[TIME])} lies in the future",
            f"correct the date, or {SHIFTED}", "dates in the future",
        ),
    ]  # fmt: skip


def _values(events: pd.DataFrame, report: _Report) -> list[Problem]:
    problems: list[Problem] = []
    for code, rows in events.groupby(CODE, sort=True, observed=True):
        entry = vocabulary()[str(code)]
        if entry.is_numeric:
            problems += _numbers(rows, entry, report)
        elif entry.kind is Kind.PERSON:
            problems += _labels(rows, entry, report)
    return problems


def _numbers(rows: pd.DataFrame, entry: Code, report: _Report) -> list[Problem]:
    number_N = rows[NUMBER].to_numpy(dtype=np.float64)
    missing = ~np.isfinite(number_N)
    outside = ~missing & ((number_N < np.float64(entry.low)) | (number_N > np.float64(entry.high)))
    expected = f"{entry.low:g} to {entry.high:g} {entry.unit}"
    return [
        *report.rows(
            rows[missing],
            None,
            lambda row: f"value is {row[NUMBER]}, expected a number ({expected})",
            "leave the row out: a missing value has no row",
            "values that are no numbers",
        ),
        *report.rows(
            rows[outside],
            None,
            lambda row: f"value {row[NUMBER]:g} is impossible, expected {expected}",
            "check the entry and its unit",
            "values outside the possible range",
        ),
    ]


def _labels(rows: pd.DataFrame, entry: Code, report: _Report) -> list[Problem]:
    expected = ", ".join(entry.labels) if entry.labels else "any short label"
    return report.rows(
        rows[bad_labels(rows[TEXT], entry)],
        None,
        lambda row: f"label is {row[TEXT]!r}, expected {expected}",
        "leave the row out: an unknown label has no row",
        "unknown labels",
    )


def _repeats(events: pd.DataFrame, report: _Report) -> list[Problem]:
    # There is one onset and one enrolment, on whatever day; anything else may come once a day.
    once = events[CODE].isin([ONSET, ENROLMENT])
    dated = events.assign(day=events[TIME].dt.normalize().mask(once))
    return report.rows(
        dated[dated.duplicated([SUBJECT, CODE, "day"], keep="first")],
        None,
        lambda row: (
            f"subject {report.who(row)} already has one"
            + ("" if pd.isna(row["day"]) else f" on {_day(row['day'])}")
        ),
        "keep one",
        "second values of one subject, code and day",
    )


def _dates(events: pd.DataFrame, report: _Report) -> list[Problem]:
    problems: list[Problem] = []
    first = {
        code: events[(events[CODE] == code) & events[TIME].notna()].groupby(SUBJECT)[TIME].min()
        for code in (ONSET, ENROLMENT)
    }
    everyone = events.drop_duplicates(SUBJECT)
    for code, dates in first.items():
        name = vocabulary()[code].name
        problems += report.rows(
            everyone[~everyone[SUBJECT].isin(dates.index)],
            code,
            lambda row, name=name: f"subject {report.who(row)} has no {name}",  # type: ignore[misc]
            "add its date",
            f"subjects without {name}",
        )
    # A map would give numbers, not times, where nobody has an onset.
    onset = first[ONSET].reindex(events[SUBJECT]).set_axis(events.index).dt.normalize()
    return problems + report.rows(
        events[events[TIME].dt.normalize() < onset],
        None,
        lambda row: f"{_day(row[TIME])} lies before the onset of subject {report.who(row)}",
        "check both dates",
        "dates before the onset",
    )
