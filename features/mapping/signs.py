"""The signs within numbers and the order of dates that some cells can be read by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.measurements.written_times import as_text as as_dates
from features.measurements.written_times import iso_times, strptime_form, times_in_form
from features.tables.cells import written
from features.tables.text_tables import TableForm, read_numbers

FORMS = tuple(
    (decimal, thousands)
    for decimal, groups in (
        (".", ("", ",", "'", " ", "\u202f")),
        (",", ("", ".", "'", " ", "\u202f")),
    )
    for thousands in groups
)
"""Decimal and thousands signs; of equals the first is the plainest."""

NUMBER_LIKE = re.compile(r"[+-]?\d[\d.,'\u202f\xa0 ]*(?:[eE][+-]?\d+)?|[+-]?[.,]\d+")
DATE_LIKE = re.compile(
    r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:\D.*)?|\d{1,2}[- .][A-Za-z]{3}[- .]\d{2,4}.*"
)

DATES = (
    "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "MM-DD-YYYY", "MM.DD.YYYY",
    "YYYY/MM/DD", "YYYY.MM.DD", "DD.MM.YY", "DD/MM/YY", "MM/DD/YY", "YY/MM/DD", "YY-MM-DD",
    "DD-MM-YY", "MM-DD-YY", "YY.MM.DD", "MM.DD.YY", "DD-MMM-YYYY", "DD MMM YYYY", "DD.MMM.YYYY",
    "DD-MMM-YY",
)  # fmt: skip
CLOCKS = ("", " HH:mm", " HH:mm:ss", "THH:mm", "THH:mm:ss", " hh:mm A", " hh:mm:ss A")
ISO = ""
"""The form of dates that nobody has to declare."""

MOST_OF = 0.8
"""Share of the cells that makes a column one of numbers, or of dates; the rest is named."""

NOBODYS_ORDER = frozenset({"YY/MM/DD", "YY-MM-DD", "YY.MM.DD", "MM.DD.YYYY", "MM.DD.YY"})
"""Forms that are hardly written anywhere: they stand last among those that read a column."""


@dataclass(frozen=True, slots=True)
class ReadBy:
    """Which forms read the cells of a column.

    Parameters
    ----------
    forms
        Those that read all cells that look like what is read, or, where none does, the most; the
        likeliest first.
    all_of_them
        Whether they read all.
    share
        Of the cells that look like it, how many they read.
    others
        Whether another form reads cells that these do not.
    """

    forms: tuple[str, ...] = ()
    all_of_them: bool = True
    share: float = 1.0
    others: bool = False


def distinct(cells: pd.Series) -> list[str]:
    """Return the different cells of a column as text, without empty ones."""
    return [text for text in dict.fromkeys(written(c).strip() for c in cells.unique()) if text]


def number_forms(cells: Sequence[str]) -> ReadBy | None:
    """Return the signs that numbers are written with, as `decimal + thousands`.

    None where the column is none of numbers.
    """
    like = [cell for cell in cells if NUMBER_LIKE.fullmatch(cell)]
    if not like or len(like) < MOST_OF * len(cells):
        return None
    series = pd.Series(like, dtype="str")
    read = {}
    for decimal, thousands in FORMS:
        form = TableForm(decimal=decimal, thousands=thousands)
        read[decimal + thousands] = ~np.isnan(read_numbers(series, form).value_N)
    return _best(read)


def parsed(cells: Iterable[str], signs: str) -> NDArray[np.float64]:
    """Return the number of each cell by some signs; NaN where it is none."""
    form = TableForm(decimal=signs[0], thousands=signs[1:])
    return read_numbers(pd.Series(list(cells), dtype="str"), form).value_N


def numbers_of(cells: Iterable[str], signs: str) -> NDArray[np.float64]:
    """Return the numbers among cells, by some signs."""
    value_N = parsed(cells, signs)
    found_N: NDArray[np.float64] = value_N[~np.isnan(value_N)]
    return found_N


def distinct_meanings(cells: Sequence[str], forms: Sequence[str]) -> list[str]:
    """Return the forms that give the cells different numbers, one of each meaning."""
    kept: dict[tuple[float, ...], str] = {}
    for signs in forms:
        kept.setdefault(tuple(numbers_of(cells, signs).tolist()), signs)
    return list(kept.values())


def date_forms(cells: Sequence[str]) -> ReadBy | None:
    """Return the forms that dates are written in, empty for ISO 8601; None where there are none."""
    like = [cell for cell in cells if DATE_LIKE.fullmatch(cell)]
    if not like or len(like) < MOST_OF * len(cells):
        return None
    text, _ = as_dates(pd.Series(like, dtype="str"))
    read = {ISO: ~np.isnat(iso_times(text)[0])}
    if not read[ISO].all():
        first = like[0]
        for date in DATES:
            if not _same_signs(date, first):
                continue
            for clock in CLOCKS:
                form = date + clock
                read_N = ~np.isnat(times_in_form(text, strptime_form(form)))
                if read_N.any():
                    read[form] = read_N
    found = _best(read)
    ranked = sorted(found.forms, key=lambda form: form.split(" ")[0].split("T")[0] in NOBODYS_ORDER)
    return replace(found, forms=tuple(ranked))


def meanings_of_dates(cells: Sequence[str], forms: Sequence[str]) -> list[str]:
    """Return the forms that give the cells different dates, one of each meaning."""
    text, _ = as_dates(pd.Series(list(cells), dtype="str"))
    kept: dict[bytes, str] = {}
    for form in forms:
        time_N = iso_times(text)[0] if form == ISO else times_in_form(text, strptime_form(form))
        kept.setdefault(time_N.tobytes(), form)
    return list(kept.values())


def _same_signs(form: str, cell: str) -> bool:
    """Return whether a form's parts are separated as those of a cell are, to try few forms."""
    first_signs = (next(sign for sign in text if sign in "-./ ") for text in (form, cell))
    return len(set(first_signs)) == 1


def _best(read: Mapping[str, NDArray[np.bool_]]) -> ReadBy:
    most = max(int(read_N.sum()) for read_N in read.values())
    forms = tuple(form for form, read_N in read.items() if most and read_N.sum() == most)
    by_best_N = read[forms[0]] if forms else np.zeros(1, dtype=np.bool_)
    return ReadBy(
        forms=forms,
        all_of_them=bool(by_best_N.all()),
        share=float(by_best_N.mean()),
        others=any(bool((read_N & ~by_best_N).any()) for read_N in read.values()),
    )


def in_utc(cells: Sequence[str]) -> bool:
    """Return whether some times are in UTC, so that their day depends on where people live."""
    utc = re.compile(r"\d(?:[Zz]|[+-]00(?::?00)?)$")
    return any(utc.search(cell) is not None for cell in cells)
