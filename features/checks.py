"""Checks of the cohort contract: every violation, with file, row and field."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import Problem
from contracts.vocabulary import Code, Kind, vocabulary
from features.blocks import blocks_of_subjects

HEADER_ROWS = 2
"""Added to a zero-based position to count as a spreadsheet does: the header is row 1."""


def check_events(
    events: pd.DataFrame, *, file: str, rows: pd.Series | None = None
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
    """
    if rows is None:
        rows = pd.Series(np.arange(len(events)) + HEADER_ROWS, index=events.index)
    located = events.assign(
        row=rows.to_numpy(),
        kind=events[CODE].map({code: str(entry.kind) for code, entry in vocabulary().items()}),
    ).reset_index(drop=True)
    known = located[located["kind"].notna() & located[SUBJECT].notna()]
    unknown = [*_no_subject(located, file), *_unknown_codes(located, file)]
    if known.empty:
        return unknown
    return [
        *unknown,
        *_times(known, file),
        *_values(known, file),
        *_repeats(known, file),
        *_dates(known, file),
    ]


def check_blocks(events: pd.DataFrame, *, file: str) -> list[Problem]:
    """Check events that are grouped by subject in blocks: no rule spans several subjects."""
    problems, above = [], HEADER_ROWS
    for block in blocks_of_subjects(events):
        if is_sound(block):
            above += len(block)
            continue
        rows = pd.Series(np.arange(len(block)) + above, index=block.index)
        problems += check_events(block, file=file, rows=rows)
        above += len(block)
    return problems


def is_sound(events: pd.DataFrame) -> bool:
    """Return quickly, without messages, whether `check_events` finds nothing, as it usually does.

    Parameters
    ----------
    events
        Grouped by subject. The answer is also False where the types need the full check.
    """
    if not len(events) or events[SUBJECT].dtype != np.int64 or events[CODE].dtype != "category":
        return False
    entries = [vocabulary().get(str(code)) for code in events[CODE].cat.categories]
    code_N = events[CODE].cat.codes.to_numpy().astype(np.int64)
    known_K = np.array([entry is not None for entry in entries])
    if (code_N < 0).any() or not known_K[code_N].all():
        return False
    fact_K = np.array([e is not None and e.kind is Kind.PERSON for e in entries])
    numeric_K = np.array([e is not None and e.is_numeric for e in entries])
    timed_N = events[TIME].notna().to_numpy()
    if (fact_K[code_N] == timed_N).any():
        return False
    low_K, high_K = (
        np.array([getattr(e, end) if e is not None and e.is_numeric else np.nan for e in entries])
        for end in ("low", "high")
    )
    number_N = events[NUMBER].to_numpy(dtype=np.float64)
    inside_N = (number_N >= low_K[code_N]) & (number_N <= high_K[code_N])
    if not inside_N[numeric_K[code_N]].all():
        return False
    labelled = events[(fact_K & ~numeric_K)[code_N]]
    for code, rows in labelled.groupby(CODE, observed=True):
        if _labels(rows.assign(row=0), vocabulary()[str(code)], ""):
            return False
    return _is_dated_once(events, code_N, timed_N)


def _is_dated_once(
    events: pd.DataFrame, code_N: NDArray[np.int64], timed_N: NDArray[np.bool_]
) -> bool:
    """Return whether everybody has one onset and enrolment, and nothing repeated or too early."""
    if not timed_N.any():
        return False
    subject_N = events[SUBJECT].to_numpy()
    person_N = np.cumsum(np.diff(subject_N, prepend=subject_N[:1]) != 0)
    day_N = events[TIME].to_numpy().astype("datetime64[D]").astype(np.int64)
    day_N[~timed_N] = day_N[timed_N].min()
    people, categories = int(person_N[-1]) + 1, list(events[CODE].cat.categories)
    first_W = {}
    slot_N = day_N - day_N.min()
    days = int(slot_N.max()) + 1
    for code in (ONSET, ENROLMENT):
        own_N = code_N == (categories.index(code) if code in categories else -1)
        if own_N.sum() != people or len(np.unique(person_N[own_N])) != people:
            return False
        first_W[code] = day_N[own_N]
    key_N = np.sort((person_N * days + slot_N) * len(categories) + code_N)
    again = bool((key_N[1:] == key_N[:-1]).any())
    return not again and bool((day_N >= first_W[ONSET][person_N])[timed_N].all())


Wording = Callable[[pd.Series], str]


def _row_problems(
    rows: pd.DataFrame, file: str, field: str | None, found: Wording, advice: str
) -> list[Problem]:
    """Return a problem for each row; without a field it is that of the row's code."""
    return [
        Problem(
            file=file,
            row=int(row["row"]),
            field=field or row[CODE],
            found=found(row),
            advice=advice,
        )
        for _, row in rows.iterrows()
    ]


def _no_subject(events: pd.DataFrame, file: str) -> list[Problem]:
    rows = events[events[SUBJECT].isna()]
    return _row_problems(rows, file, SUBJECT, lambda _: "no subject", "fill in the subject's id")


def _unknown_codes(events: pd.DataFrame, file: str) -> list[Problem]:
    return _row_problems(
        events[events["kind"].isna()],
        file,
        CODE,
        lambda row: f"{row[CODE]!r} is not in the vocabulary",
        "map it to one of its codes, or leave it out",
    )


def _times(events: pd.DataFrame, file: str) -> list[Problem]:
    is_fact = events["kind"] == str(Kind.PERSON)
    untimed = events[~is_fact & events[TIME].isna()]
    return [
        *_row_problems(
            events[is_fact & events[TIME].notna()],
            file,
            None,
            lambda row: f"a fact of the person has a time ({row[TIME]})",
            "leave the time empty",
        ),
        *_row_problems(untimed, file, None, lambda _: "no time", "say when it was measured"),
    ]


def _values(events: pd.DataFrame, file: str) -> list[Problem]:
    problems: list[Problem] = []
    for code, rows in events.groupby(CODE, sort=True):
        entry = vocabulary()[str(code)]
        if entry.is_numeric:
            problems += _numbers(rows, entry, file)
        elif entry.kind is Kind.PERSON:
            problems += _labels(rows, entry, file)
    return problems


def _numbers(rows: pd.DataFrame, entry: Code, file: str) -> list[Problem]:
    number_N = rows[NUMBER].to_numpy(dtype=np.float64)
    missing = ~np.isfinite(number_N)
    outside = ~missing & ((number_N < np.float64(entry.low)) | (number_N > np.float64(entry.high)))
    expected = f"{entry.low:g} to {entry.high:g} {entry.unit}"
    return [
        *_row_problems(
            rows[missing],
            file,
            None,
            lambda row: f"value is {row[NUMBER]}, expected a number ({expected})",
            "leave the row out: a missing value has no row",
        ),
        *_row_problems(
            rows[outside],
            file,
            None,
            lambda row: f"value {row[NUMBER]:g} is impossible, expected {expected}",
            "check the entry and its unit",
        ),
    ]


def _labels(rows: pd.DataFrame, entry: Code, file: str) -> list[Problem]:
    text = rows[TEXT]
    bad = (
        ~text.isin(entry.labels)
        if entry.labels
        else text.isna() | (text.astype("string").str.len().fillna(0) == 0)
    )
    expected = ", ".join(entry.labels) if entry.labels else "any short label"
    return _row_problems(
        rows[bad],
        file,
        None,
        lambda row: f"label is {row[TEXT]!r}, expected {expected}",
        "leave the row out: an unknown label has no row",
    )


def _repeats(events: pd.DataFrame, file: str) -> list[Problem]:
    # There is one onset and one enrolment, on whatever day; anything else may come once a day.
    once = events[CODE].isin([ONSET, ENROLMENT])
    dated = events.assign(day=events[TIME].dt.normalize().mask(once))
    return _row_problems(
        dated[dated.duplicated([SUBJECT, CODE, "day"], keep="first")],
        file,
        None,
        lambda row: (
            f"subject {row[SUBJECT]} already has one"
            + ("" if pd.isna(row["day"]) else f" on {row['day']:%Y-%m-%d}")
        ),
        "keep one",
    )


def _dates(events: pd.DataFrame, file: str) -> list[Problem]:
    problems: list[Problem] = []
    first = {
        code: events[(events[CODE] == code) & events[TIME].notna()].groupby(SUBJECT)[TIME].min()
        for code in (ONSET, ENROLMENT)
    }
    everyone = events.drop_duplicates(SUBJECT)
    for code, dates in first.items():
        name = vocabulary()[code].name
        problems += _row_problems(
            everyone[~everyone[SUBJECT].isin(dates.index)],
            file,
            code,
            lambda row, name=name: f"subject {row[SUBJECT]} has no {name}",  # type: ignore[misc]
            "add its date",
        )
    onset = events[SUBJECT].map(first[ONSET]).dt.normalize()
    return problems + _row_problems(
        events[events[TIME].dt.normalize() < onset],
        file,
        None,
        lambda row: f"{row[TIME]:%Y-%m-%d} lies before the onset of subject {row[SUBJECT]}",
        "check both dates",
    )


def out_of_order(events: pd.DataFrame, file: str) -> list[Problem]:
    """Return where a file's rows are not in order of subject and time."""
    previous = events[[SUBJECT, TIME]].shift()
    same = events[SUBJECT] == previous[SUBJECT]
    back = same & ((events[TIME] < previous[TIME]) | (events[TIME].isna() & previous[TIME].notna()))
    again = ~same & events[SUBJECT].duplicated(keep="first")
    faults = [
        (back, "earlier than the row above", "sort each subject by time, untimed rows first"),
        (again, "the subject's rows are not together", "sort by subject"),
    ]
    return [
        Problem(
            file=file, row=int(position) + HEADER_ROWS, field=SUBJECT, found=found, advice=advice
        )
        for rows, found, advice in faults
        for position in rows.to_numpy().nonzero()[0]
    ]


def in_two_files(parts: dict[str, pd.DataFrame]) -> list[Problem]:
    """Return which subjects are spread over several files."""
    first_file: dict[int, str] = {}
    advice = "keep all rows of a subject in one file"
    problems = []
    for name, part in parts.items():
        for subject in part[SUBJECT].dropna().unique():
            other = first_file.setdefault(int(subject), name)
            found = f"subject {subject} is in {other} too"
            if other != name:
                problems.append(
                    Problem(file=name, row=None, field=SUBJECT, found=found, advice=advice)
                )
    return problems
