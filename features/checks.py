"""The cohort contract as checks: every broken promise, with file, row and field."""

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
    """Return every broken promise of `contracts.cohort`, empty for a sound cohort.

    Parameters
    ----------
    events
        Columns of `contracts.cohort.COLUMNS`, in any order of rows.
    file
        Name to report.
    rows
        Row in the source of each event; by default the position in `events` plus the header.
    """
    if rows is None:
        rows = pd.Series(np.arange(len(events)) + HEADER_ROWS, index=events.index)
    placed = events.assign(
        row=rows.to_numpy(),
        kind=events[CODE].map({code: str(entry.kind) for code, entry in vocabulary().items()}),
    ).reset_index(drop=True)
    known = placed[placed["kind"].notna() & placed[SUBJECT].notna()]
    unplaceable = [*_no_subject(placed, file), *_unknown_codes(placed, file)]
    if known.empty:
        return unplaceable
    return [
        *unplaceable,
        *_times(known, file),
        *_values(known, file),
        *_repeats(known, file),
        *_dates(known, file),
    ]


def check_blocks(events: pd.DataFrame, *, file: str) -> list[Problem]:
    """Check events that lie by subject, block by block: every promise is one of a subject alone."""
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
    """Tell without a word per row whether `check_events` finds nothing: nearly all blocks are so.

    Parameters
    ----------
    events
        Each subject's rows together. False also where types need the closer look.
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
    """Tell whether everybody has one onset and enrolment, and nothing twice a day or too early."""
    if not timed_N.any():
        return False
    subject_N = events[SUBJECT].to_numpy()
    who_N = np.cumsum(np.diff(subject_N, prepend=subject_N[:1]) != 0)
    day_N = events[TIME].to_numpy().astype("datetime64[D]").astype(np.int64)
    day_N[~timed_N] = day_N[timed_N].min()
    people, categories = int(who_N[-1]) + 1, list(events[CODE].cat.categories)
    first_W = {}
    slot_N = day_N - day_N.min()
    days = int(slot_N.max()) + 1
    for code in (ONSET, ENROLMENT):
        mine = code_N == (categories.index(code) if code in categories else -1)
        if mine.sum() != people or len(np.unique(who_N[mine])) != people:
            return False
        first_W[code] = day_N[mine]
    key_N = np.sort((who_N * days + slot_N) * len(categories) + code_N)
    again = bool((key_N[1:] == key_N[:-1]).any())
    return not again and bool((day_N >= first_W[ONSET][who_N])[timed_N].all())


def _each(
    rows: pd.DataFrame, file: str, field: str | None, say: Callable[[pd.Series], str]
) -> list[Problem]:
    return [
        Problem(file=file, row=int(row["row"]), field=field or row[CODE], found=say(row))
        for _, row in rows.iterrows()
    ]


def _no_subject(events: pd.DataFrame, file: str) -> list[Problem]:
    return _each(
        events[events[SUBJECT].isna()], file, SUBJECT, lambda _: "no subject: fill in who it is of"
    )


def _unknown_codes(events: pd.DataFrame, file: str) -> list[Problem]:
    return _each(
        events[events["kind"].isna()],
        file,
        CODE,
        lambda row: (
            f"{row[CODE]!r} is not in the vocabulary: map it to one of its codes, or leave it out"
        ),
    )


def _times(events: pd.DataFrame, file: str) -> list[Problem]:
    is_fact = events["kind"] == str(Kind.PERSON)
    return [
        *_each(
            events[is_fact & events[TIME].notna()],
            file,
            None,
            lambda row: f"a fact of the person has a time ({row[TIME]}): leave the time empty",
        ),
        *_each(
            events[~is_fact & events[TIME].isna()],
            file,
            None,
            lambda _: "no time: say when it was measured",
        ),
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
        *_each(
            rows[missing],
            file,
            None,
            lambda row: (
                f"value is {row[NUMBER]}, expected a number ({expected}): a missing value"
                " has no row"
            ),
        ),
        *_each(
            rows[outside],
            file,
            None,
            lambda row: (
                f"value {row[NUMBER]:g} is impossible, expected {expected}: check the entry"
                " and its unit"
            ),
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
    return _each(
        rows[bad],
        file,
        None,
        lambda row: f"label is {row[TEXT]!r}, expected: {expected}; an unknown one has no row",
    )


def _repeats(events: pd.DataFrame, file: str) -> list[Problem]:
    # There is one onset and one enrolment, on whatever day; anything else may come once a day.
    once = events[CODE].isin([ONSET, ENROLMENT])
    placed = events.assign(day=events[TIME].dt.normalize().mask(once))
    return _each(
        placed[placed.duplicated([SUBJECT, CODE, "day"], keep="first")],
        file,
        None,
        lambda row: (
            f"subject {row[SUBJECT]} already has one"
            + ("" if pd.isna(row["day"]) else f" on {row['day']:%Y-%m-%d}")
            + ": keep one"
        ),
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
        without = everyone[~everyone[SUBJECT].isin(dates.index)]
        problems += _each(
            without,
            file,
            code,
            lambda row, name=name: f"subject {row[SUBJECT]} has no {name}: add its date",  # type: ignore[misc]
        )
    onset = events[SUBJECT].map(first[ONSET]).dt.normalize()
    early = events[events[TIME].dt.normalize() < onset]
    problems += _each(
        early,
        file,
        None,
        lambda row: (
            f"{row[TIME]:%Y-%m-%d} lies before the onset of subject {row[SUBJECT]}:"
            " check both dates"
        ),
    )
    return problems


def out_of_order(events: pd.DataFrame, file: str) -> list[Problem]:
    """Return where a file's rows are not by subject and time."""
    previous = events[[SUBJECT, TIME]].shift()
    same = events[SUBJECT] == previous[SUBJECT]
    back = same & ((events[TIME] < previous[TIME]) | (events[TIME].isna() & previous[TIME].notna()))
    again = ~same & events[SUBJECT].duplicated(keep="first")
    said = [
        (back, "earlier than the row above: sort each subject by time, untimed rows first"),
        (again, "the subject's rows are not together: sort by subject"),
    ]
    return [
        Problem(file=file, row=int(position) + 2, field=SUBJECT, found=message)
        for rows, message in said
        for position in rows.to_numpy().nonzero()[0]
    ]


def in_two_files(parts: dict[str, pd.DataFrame]) -> list[Problem]:
    """Return which subjects are spread over several files."""
    home: dict[int, str] = {}
    problems = []
    for name, part in parts.items():
        for subject in part[SUBJECT].dropna().unique():
            if home.setdefault(int(subject), name) != name:
                message = f"subject {subject} is in {home[int(subject)]} too: keep all in one file"
                problems.append(Problem(file=name, row=None, field=SUBJECT, found=message))
    return problems
