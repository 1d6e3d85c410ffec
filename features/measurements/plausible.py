"""Records that can't be true: impossible dates and values, each reported with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from contracts.cohort import CODE, NUMBER, TIME
from contracts.errors import MOST_PLACES, Problem
from contracts.vocabulary import Kind, vocabulary
from features.measurements.lookups import looked_up
from features.measurements.records import (
    AMOUNT,
    BIRTH_DATE,
    DEATH,
    FILE,
    PLACE,
    SUBJECT_LABEL,
    Amount,
)
from features.measurements.versions import place_of, row_of
from features.measurements.wall_clock import EARLIEST, latest_possible

MOST = 10_000
"""Records that are reported one by one."""

NEVER_ZERO = frozenset(
    {
        "REHABCAST//SLEEP", "REHABCAST//RMSSD", "REHABCAST//SDNN", "REHABCAST//GAIT_SPEED",
        "REHABCAST//CADENCE",
    }
)  # fmt: skip
"""Codes whose range begins at 0, but of which a device states 0 where it measured nothing: nobody
in bed for eight hours slept for none of them, and no heart beats like a clock."""

SHIFTED = "declare dates_shifted = true if all dates were shifted for anonymity"


def plausible_dates(
    records: pd.DataFrame, *, dates_shifted: bool = False
) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out records before 1990, after tomorrow, or after the person's death.

    Parameters
    ----------
    dates_shifted
        Whether the source declares that all dates were shifted: then only death is compared.
    """
    time = records[TIME]
    problems: list[Problem] = []
    wrong = pd.Series(False, index=records.index)
    if not dates_shifted:
        early, late = time < EARLIEST, time >= latest_possible()
        if early.any():
            early &= records[CODE] != BIRTH_DATE
        for out, when in ((early, "before 1990"), (late, "in the future")):
            problems += each(
                records[out],
                lambda row, when=when: f"{row[TIME]:%Y-%m-%d} lies {when}",  # type: ignore[misc]
                f"correct the date, or {SHIFTED}",
                f"dates {when}",
            )
        wrong = early | late
    death = records[(records[CODE] == DEATH) & ~wrong]
    if death.empty:
        return (records[~wrong] if wrong.any() else records), problems
    died = death.groupby(SUBJECT_LABEL)[TIME].min().dt.normalize().to_dict()
    after = ~wrong & (time.dt.normalize() > pd.to_datetime(records[SUBJECT_LABEL].map(died)))
    problems += each(
        records[after],
        lambda row: f"{row[TIME]:%Y-%m-%d} lies after the person's death",
        "check both dates",
        "dates after death",
    )
    return records[~wrong & ~after], problems


def plausible_values(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out values outside the vocabulary's range, and what they may have corrected.

    A value that can't be right, or can't be read (`Amount.UNUSABLE`), may be the correction of
    another of that person, day and code. Nobody knows which is true, so both go. A reading stands
    for its moment alone: an impossible one, such as a heart rate of 0, only goes itself. Parts of a
    day are judged as a whole, later.
    """
    records, problems = _without_zeros(records)
    words = vocabulary()
    code = records[CODE]
    outside = is_outside(code, records[NUMBER])
    unusable = records[AMOUNT] == str(Amount.UNUSABLE)
    if not outside.any() and not unusable.any():
        return records, problems
    single = records[AMOUNT].isin([str(Amount.ONCE), str(Amount.TOTAL)])
    reading = records[AMOUNT] == str(Amount.READING)
    impossible = (single | reading) & outside
    problems += each(
        records[impossible], lambda row: _impossible(row, words[row[CODE]].unit),
        "check the entry and its unit", "values outside the possible range",
    )  # fmt: skip
    bad = impossible | unusable
    measured = looked_up(
        code, {c: e.kind is not Kind.EVENT for c, e in words.items()}, "bool", missing=False
    )
    beside = measured & single & ~bad
    doubtful = bad & ~reading
    if beside.any() and doubtful.any():
        days = records[TIME].dt.normalize()
        key = pd.MultiIndex.from_arrays([records[SUBJECT_LABEL], code, days])
        beside &= key.isin(key[doubtful.to_numpy()])
    else:
        beside &= False
    problems += each(
        records[beside],
        lambda row: (
            "another value of this person and day can't be used, and one may be the"
            " correction of the other"
        ),
        "correct the other value, or remove it",
        "values beside one that can't be used",
    )
    return records[~bad & ~beside], problems


def _without_zeros(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out zeros by which a device says that it measured nothing.

    A value that a person states once, such as a cell of a table, is not one of them.
    """
    zero = (records[NUMBER] == 0) & (records[AMOUNT] != str(Amount.ONCE))
    if not zero.any():
        return records, []
    zero &= records[CODE].isin(NEVER_ZERO)
    problems = each(
        records[zero],
        lambda row: (
            f"{vocabulary()[row[CODE]].name} of 0, which a device writes where it measured nothing"
        ),
        "",
        "zeros that stand for no measurement",
    )
    return records[~zero], problems


def is_outside(code: pd.Series, number: pd.Series) -> pd.Series:
    """Return which numbers are outside the vocabulary's range of their code, or missing."""
    code_N, codes = pd.factorize(code)
    entries = [vocabulary().get(str(known)) for known in codes]
    low_K, high_K = (
        np.array([np.nan if e is None else e.kept_range[end] for e in entries]) for end in (0, 1)
    )
    number_N = number.to_numpy(dtype=np.float64)
    inside_N = (number_N >= low_K[code_N]) & (number_N <= high_K[code_N])
    return pd.Series(~inside_N & ~np.isnan(low_K[code_N]), index=code.index)


def from_onset_on(
    values: pd.DataFrame, measured: pd.DataFrame, onsets: pd.DataFrame
) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out values of days before a person's onset: a cohort follows a recovery from there.

    Parameters
    ----------
    values
        Values by day.
    measured
        The records that they were made from, with file and place. Years of a phone's records may
        lie before an onset, so these become one problem for each file and code.
    onsets
        Records of onsets, one a person.
    """
    if onsets.empty:
        return values, []
    first = onsets.set_index(SUBJECT_LABEL)[TIME].dt.normalize().to_dict()
    early, early_records = (
        pd.to_datetime(table[TIME]).dt.normalize()
        < looked_up(table[SUBJECT_LABEL], first, "datetime64[us]", np.datetime64("NaT"))
        for table in (values, measured)
    )
    if not early_records.any() and not early.any():
        return values, []
    problems = []
    for (file, code), rows in measured[early_records].groupby([FILE, CODE], sort=True):
        row = rows.iloc[0]
        problems.append(
            Problem(
                file=str(file) or "*",
                row=row_of(row[PLACE]),
                field=str(code),
                subject=str(row[SUBJECT_LABEL]) if rows[SUBJECT_LABEL].nunique() == 1 else "",
                found=f"{row[TIME]:%Y-%m-%d} lies before the onset of {row[SUBJECT_LABEL]!r} on"
                f" {first[row[SUBJECT_LABEL]]:%Y-%m-%d}, the record was left out",
                advice="check both dates if the value is of the time after the onset",
                cause="values before the onset",
                count=len(rows),
                places=_places(rows),
            )
        )
    return values[~early], problems


def _places(rows: pd.DataFrame) -> tuple[str, ...]:
    named = [place for place in rows[PLACE].head(MOST_PLACES) if place]
    return tuple(place if row_of(place) is None else f"row {place}" for place in named)


def _impossible(row: Mapping[Any, Any], unit: str) -> str:
    entry = vocabulary()[row[CODE]]
    return (
        f"value {row[NUMBER]:g} is impossible, expected {entry.low:g} to {entry.high:g} {unit}"
    ).strip() + entry.doubt("range")


def each(
    rows: pd.DataFrame, found: Callable[[Mapping[Any, Any]], str], advice: str, cause: str
) -> list[Problem]:
    """Return a problem for each record that was left out, grouped by cause later.

    Of more than `MOST` records the problems are grouped here: an export of many years whose dates
    were shifted has millions.
    """
    if rows.empty:
        return []
    if len(rows) <= MOST:
        return [_problem(row, found, advice, cause) for row in rows.to_dict("records")]
    problems = []
    for _, group in rows.groupby([FILE, CODE], sort=True):
        first = group.head(MOST_PLACES).to_dict("records")
        places = tuple(
            f"row {place}" if row_of(place) else place
            for place in map(str, group[PLACE].head(MOST_PLACES))
        )
        problems.append(
            replace(
                _problem(first[0], found, advice, cause),
                count=len(group),
                places=places,
                subject=str(first[0][SUBJECT_LABEL]) if group[SUBJECT_LABEL].nunique() == 1 else "",
            )
        )
    return problems


def _problem(
    row: Mapping[Any, Any], found: Callable[[Mapping[Any, Any]], str], advice: str, cause: str
) -> Problem:
    # What was computed from several records has no place of its own, but a day.
    day = f"{row[TIME]:%Y-%m-%d}" if not row[FILE] and pd.notna(row[TIME]) else ""
    return Problem(
        file=str(row[FILE]) or "*",
        row=row_of(row[PLACE]),
        places=place_of(row[PLACE]) or ((day,) if day else ()),
        subject=str(row[SUBJECT_LABEL]),
        field=str(row[CODE]),
        found=f"{found(row)}, the record was left out",
        advice=advice,
        cause=cause,
    )
