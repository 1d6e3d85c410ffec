"""Records that can't be true: impossible dates and values, each reported with its place."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from contracts.cohort import CODE, NUMBER, TIME
from contracts.errors import Problem
from contracts.vocabulary import Kind, vocabulary
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
    time, code = records[TIME], records[CODE]
    problems: list[Problem] = []
    wrong = pd.Series(False, index=records.index)
    if not dates_shifted:
        early = (time < EARLIEST) & (code != BIRTH_DATE)
        late = time >= latest_possible()
        problems += each(
            records[early], lambda row: f"{row[TIME]:%Y-%m-%d} lies before 1990",
            f"correct the date, or {SHIFTED}", "dates before 1990",
        )  # fmt: skip
        problems += each(
            records[late], lambda row: f"{row[TIME]:%Y-%m-%d} lies in the future",
            f"correct the date, or {SHIFTED}", "dates in the future",
        )  # fmt: skip
        wrong |= early | late
    died = records[(code == DEATH) & ~wrong].groupby(SUBJECT_LABEL)[TIME].min().dt.normalize()
    death = pd.to_datetime(records[SUBJECT_LABEL].map(died.to_dict()))
    after = ~wrong & (time.dt.normalize() > death)
    problems += each(
        records[after],
        lambda row: f"{row[TIME]:%Y-%m-%d} lies after the person's death",
        "check both dates",
        "dates after death",
    )
    return records[~wrong & ~after], problems


def plausible_values(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out single values outside the vocabulary's range, and what they may have corrected.

    A value that can't be right, or can't be read (`Amount.UNUSABLE`), may be the correction of
    another of that person, day and code. Nobody knows which is true, so both go.
    """
    words = vocabulary()
    code = records[CODE]
    low, high = (
        code.map({c: getattr(entry, end) for c, entry in words.items()}).astype(float)
        for end in ("low", "high")
    )
    single = records[AMOUNT].isin([str(Amount.ONCE), str(Amount.TOTAL)])
    number = records[NUMBER]
    impossible = single & low.notna() & ~((number >= low) & (number <= high))
    problems = each(
        records[impossible], lambda row: _impossible(row, words[row[CODE]].unit),
        "check the entry and its unit", "values outside the possible range",
    )  # fmt: skip
    unusable = records[AMOUNT] == str(Amount.UNUSABLE)
    bad = impossible | unusable
    if not bad.any():
        return records, problems
    key = pd.MultiIndex.from_arrays([records[SUBJECT_LABEL], code, records[TIME].dt.normalize()])
    measured = code.map({c: e.kind is not Kind.EVENT for c, e in words.items()}).eq(True)
    beside = measured & single & ~bad & key.isin(key[bad.to_numpy()])
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


def _impossible(row: pd.Series, unit: str) -> str:
    entry = vocabulary()[row[CODE]]
    return (
        f"value {row[NUMBER]:g} is impossible, expected {entry.low:g} to {entry.high:g} {unit}"
    ).strip()


def each(
    rows: pd.DataFrame, found: Callable[[pd.Series], str], advice: str, cause: str
) -> list[Problem]:
    """Return a problem for each record that was left out, grouped by cause later."""
    return [
        Problem(
            file=str(row[FILE]) or "*",
            row=row_of(row[PLACE]),
            places=place_of(row[PLACE]),
            field=str(row[CODE]),
            found=f"{found(row)}, the record was left out",
            advice=advice,
            cause=cause,
        )
        for _, row in rows.iterrows()
    ]
