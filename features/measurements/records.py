"""Records: what sources state, one row a statement, before anything is decided about it.

A reader turns each statement into a row as the source gives it, with the statement's own identity,
version and place in the file. Which of several statements counts is decided afterwards, over all
files at once and for every format alike (`features.measurements.reconcile`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import pandas as pd

from contracts import cohort
from contracts.cohort import CODE, NUMBER, TEXT, TIME

SUBJECT_LABEL = cohort.SUBJECT_LABEL
"""Column of the subject's identifier in the source, as text and unchanged."""

END, AMOUNT, SOURCE = "end", "amount", "source"
RECORD_ID, VERSION, UPDATED = "record_id", "version", "updated"
FILE, PLACE = "file", "place"
IMPORTED = "imported"

BIRTH_DATE = "birth date"
"""Code of a record that gives a birth date: it becomes the age at onset."""

BEATS = "beat interval"
"""Code of a record of one interval between two beats, in ms: records of it become samples."""

DEATH = "date of death"
"""Code of a record that the person died, on its time; without a time the day isn't known."""


class Amount(StrEnum):
    """How the values that one source states for a day become the day's value."""

    ONCE = "once"
    """A score, a fact or a date: of a day's several the one with the latest time counts."""
    PART = "part"
    """The amount of an interval: a day's add up; one that contains others stands for them."""
    TOTAL = "total"
    """The figure of a whole day as the source computed it: never added to anything."""
    READING = "reading"
    """A momentary value: the day's is the mean of its readings."""
    INTERVAL = "interval"
    """The interval is the value (sleep): a day's is the union of its intervals, in hours."""
    RUNNING = "running total"
    """What was counted since midnight: a day's is the sum of its increases."""
    UNUSABLE = "unusable"
    """A value that is there and can't be read: it may be the correction of another of its day."""
    WITHDRAWN = "withdrawn"
    """A version of a record that holds nothing usable: it only replaces earlier versions."""


RECORD_COLUMNS = (
    SUBJECT_LABEL, TIME, END, CODE, NUMBER, TEXT, AMOUNT, SOURCE, RECORD_ID, VERSION, UPDATED,
    FILE, PLACE, IMPORTED,
)  # fmt: skip
"""Columns of a table of records.

subject_label
    As the source gives it.
time, end
    Wall clock of the wearer, naive datetime64[us]; `end` is NaT for a moment, `time` for a fact.
code, numeric_value, text_value
    As in a cohort; also `BIRTH_DATE` and `DEATH`.
amount
    An `Amount`.
source
    The device or app that measured it, within one subject; empty where the source does not say.
record_id
    What identifies the statement in its source (`Observation/o1`, a log id); empty where nothing
    does. Rows of one statement share it.
version, updated
    Number of the statement's version, and the time of its last change; NaN and NaT where unknown.
file, place
    The file's name, and the row as a spreadsheet counts it (a number) or the place in words.
imported
    Number of the import that brought it into a cohort; 0 where there is only one.
"""

_TEXT_DEFAULTS = {AMOUNT: str(Amount.ONCE), SOURCE: "", RECORD_ID: "", FILE: "", PLACE: ""}


def records(
    rows: Sequence[tuple[Any, ...]] | Sequence[Mapping[str, Any]], **shared: Any
) -> pd.DataFrame:
    """Return rows as a table of records with `RECORD_COLUMNS`.

    Parameters
    ----------
    rows
        Tuples of (subject_label, time, code, number, text), or mappings of any of the columns.
    shared
        Values of further columns that all rows share, such as `file` or `amount`.
    """
    if rows and isinstance(rows[0], Mapping):
        table = pd.DataFrame.from_records([dict(row) for row in rows])
    else:
        table = pd.DataFrame(list(rows), columns=[SUBJECT_LABEL, TIME, CODE, NUMBER, TEXT])
    return record_table(table.assign(**shared))


def record_table(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table with some of `RECORD_COLUMNS` all of them, with their types and defaults."""
    full = table.copy(deep=False)
    for name in (TIME, END, UPDATED):
        given = full.get(name, pd.NaT)
        full[name] = pd.to_datetime(pd.Series(given, index=full.index)).astype("datetime64[us]")
    for name in (NUMBER, VERSION):
        number = full.get(name, float("nan"))
        full[name] = pd.Series(number, index=full.index).astype(float)
    number = full[IMPORTED] if IMPORTED in full else pd.Series(0, index=full.index)
    full[IMPORTED] = number.astype("int64")
    text = full[TEXT] if TEXT in full else pd.Series(None, index=full.index)
    full[TEXT] = text.astype(object).where(text.notna(), None)
    for name, default in _TEXT_DEFAULTS.items():
        given = full[name] if name in full else pd.Series(default, index=full.index, dtype=str)
        if given.dtype == "str" and not given.isna().any():
            full[name] = given
            continue
        full[name] = given.astype(object).where(given.notna(), default).astype(str)
    return full[list(RECORD_COLUMNS)]


def content(table: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return a number for each row that is the same where these columns say the same.

    Missing values are equal to each other, unlike in a comparison.
    """
    return pd.Series(
        pd.util.hash_pandas_object(
            table[columns].astype(object).fillna(""), index=False
        ).to_numpy(),
        index=table.index,
        dtype="uint64",
    )
