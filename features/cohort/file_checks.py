"""Checks of a cohort's files: quickly whether all is sound, else every fault with its row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, label_of
from contracts.errors import Problem
from contracts.vocabulary import Codes, Kind, vocabulary
from features.blocks import blocks_of_subjects
from features.checks import HEADER_ROWS, bad_labels, check_events, is_impossible_date


def check_file(
    events: pd.DataFrame, *, file: str, labels: Mapping[int, str], dates_shifted: bool,
    codes: Codes | None = None,
) -> list[Problem]:  # fmt: skip
    """Check one data file: the order of its rows, and the contract."""
    if events[SUBJECT].dtype != np.int64:
        # Rows without a subject: what lies in between can't be told apart by order.
        return check_events(
            events, file=file, labels=labels, dates_shifted=dates_shifted, codes=codes
        )
    return [
        *out_of_order(events, file, labels),
        *check_blocks(events, file=file, labels=labels, dates_shifted=dates_shifted, codes=codes),
    ]


def check_blocks(
    events: pd.DataFrame,
    *,
    file: str,
    labels: Mapping[int, str] | None = None,
    dates_shifted: bool = False,
    codes: Codes | None = None,
) -> list[Problem]:
    """Check events that are grouped by subject in blocks: no rule spans several subjects."""
    problems, above = [], HEADER_ROWS
    for block in blocks_of_subjects(events):
        if is_sound(block, dates_shifted=dates_shifted, codes=codes):
            above += len(block)
            continue
        rows = pd.Series(np.arange(len(block)) + above, index=block.index)
        problems += check_events(
            block, file=file, rows=rows, labels=labels, dates_shifted=dates_shifted, codes=codes
        )
        above += len(block)
    return problems


def is_sound(
    events: pd.DataFrame,
    *,
    dates_shifted: bool = False,
    codes: Codes | None = None,
) -> bool:
    """Return quickly, without messages, whether `check_events` finds nothing, as it usually does.

    Parameters
    ----------
    events
        Grouped by subject. The answer is also False where the types need the full check.
    dates_shifted, codes
        As in `check_events`.
    """
    if not len(events) or events[SUBJECT].dtype != np.int64 or events[CODE].dtype != "category":
        return False
    known = vocabulary() if codes is None else codes
    entries = [known.get(str(code)) for code in events[CODE].cat.categories]
    code_N = events[CODE].cat.codes.to_numpy().astype(np.int64)
    known_K = np.array([entry is not None for entry in entries])
    if (code_N < 0).any() or not known_K[code_N].all():
        return False
    fact_K = np.array([e is not None and e.kind is Kind.PERSON for e in entries])
    numeric_K = np.array([e is not None and e.is_numeric for e in entries])
    timed_N = events[TIME].notna().to_numpy()
    if (fact_K[code_N] == timed_N).any():
        return False
    impossible = is_impossible_date(events[TIME], dates_shifted=dates_shifted)
    if any(wrong.any() for wrong in impossible):
        return False
    low_K, high_K = (
        np.array([np.nan if e is None else e.kept_range[end] for e in entries]) for end in (0, 1)
    )
    number_N = events[NUMBER].to_numpy(dtype=np.float64)
    inside_N = (number_N >= low_K[code_N]) & (number_N <= high_K[code_N])
    if not inside_N[numeric_K[code_N]].all():
        return False
    labelled = events[(fact_K & ~numeric_K)[code_N]]
    for code, rows in labelled.groupby(CODE, observed=True):
        if bad_labels(rows[TEXT], known[str(code)]).any():
            return False
    return _is_dated_once(events, code_N, timed_N)


def _is_dated_once(
    events: pd.DataFrame, code_N: NDArray[np.int64], timed_N: NDArray[np.bool_]
) -> bool:
    """Return whether everybody has one onset and enrolment, and nothing repeated or too early."""
    if not timed_N.any():
        return False
    subject_N = events[SUBJECT].to_numpy()
    person_N = np.cumsum(subject_N != np.concatenate([subject_N[:1], subject_N[:-1]]))
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


def out_of_order(events: pd.DataFrame, file: str, labels: Mapping[int, str]) -> list[Problem]:
    """Return where a file's rows are not in order of subject and time."""
    # Whole numbers throughout: shifted by pandas, ids from 2^53 on would become one float.
    subject_N, time_N = events[SUBJECT].to_numpy(), events[TIME].to_numpy()
    if len(events) < 2:
        return []
    same_N = subject_N[1:] == subject_N[:-1]
    untimed_N = np.isnat(time_N)
    earlier_N = time_N[1:] < time_N[:-1]
    back_N = same_N & (earlier_N | (untimed_N[1:] & ~untimed_N[:-1]))
    starts_N = np.flatnonzero(~same_N) + 1
    blocks = pd.Series(subject_N[np.concatenate([[0], starts_N])])
    again_N = starts_N[blocks.duplicated(keep="first").to_numpy()[1:]]
    faults = [
        (
            np.flatnonzero(back_N) + 1,
            "earlier than the row above",
            "sort each subject by time, untimed rows first",
        ),
        (again_N, "the subject's rows are not together", "sort by subject"),
    ]
    return [
        Problem(
            file=file,
            row=int(position) + HEADER_ROWS,
            field=SUBJECT,
            found=f"{found} (subject {label_of(int(subject_N[position]), labels)})",
            advice=advice,
            cause=found,
        )
        for positions, found, advice in faults
        for position in positions
    ]


def in_two_files(parts: Mapping[str, pd.DataFrame], labels: Mapping[int, str]) -> list[Problem]:
    """Return which subjects are spread over several files."""
    first_file: dict[int, str] = {}
    problems = []
    for name, part in parts.items():
        for subject in part[SUBJECT].dropna().unique():
            other = first_file.setdefault(int(subject), name)
            if other != name:
                problems.append(
                    Problem(
                        file=name,
                        row=None,
                        field=SUBJECT,
                        found=f"subject {label_of(int(subject), labels)} is in {other} too",
                        advice="keep all rows of a subject in one file",
                        cause=f"subjects that are in {other} too",
                    )
                )
    return problems
