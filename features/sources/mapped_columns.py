"""A declared column of a table of values, and what its cells state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, ONSET, TEXT, TIME
from contracts.errors import Problem
from contracts.vocabulary import Code, Kind, vocabulary
from contracts.vocabulary.instruments import instruments
from contracts.vocabulary.units import NoConversion, UnitUnknown, conversion
from features.measurements.records import AMOUNT, FILE, PLACE, SUBJECT_LABEL, Amount
from features.sources import table_columns
from features.sources.column_cells import ColumnCells, Values
from features.sources.column_map import Column, ColumnMap, Table

DAYS = "days since onset"

A_DAY = "/d"
"""End of the unit of what adds up to a day's value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedColumn:
    """One column of one table, of some of its rows, with their subjects."""

    table: Table
    column: Column
    declared: ColumnMap
    label: pd.Series

    @property
    def entry(self) -> Code:
        """What the vocabulary says of it."""
        return vocabulary()[self.column.code]

    @property
    def is_measured(self) -> bool:
        """Whether the value is of a day, which the table's `when` says."""
        return self.entry.kind in {Kind.ASSESSMENT, Kind.DAILY}

    def read(self, cells: pd.Series) -> Values:
        """Read the column's cells."""
        form = self.declared.form_of(self.table, self.column)
        column = ColumnCells(
            file=self.table.file, name=self.column.column, cells=cells, form=form,
            suspect=self.column.missing is None,
        )  # fmt: skip
        if self.entry.kind is Kind.EVENT:
            return (
                table_columns.days(column)
                if self.declared.clock == DAYS
                else table_columns.times(column, form.time_zone)
            )
        if self.entry.is_numeric:
            entry = _of_a_session(self.entry) if self.column.sessions else self.entry
            return table_columns.numbers(column, entry, self.column.unit)
        return table_columns.labels(column, self.entry, self.column.labels)

    def records(
        self, values: Values, when: Values | None, chosen_N: NDArray[np.bool_]
    ) -> pd.DataFrame:
        """Return the values as records; one that can't be used stands for what it may correct."""
        kept_N = (self.label != "").to_numpy(dtype=np.bool_, copy=True)
        is_event = self.entry.kind is Kind.EVENT
        kept_N &= values.good_N if is_event else values.good_N | values.bad_N
        time_N = np.full(len(kept_N), np.datetime64("NaT"), dtype="datetime64[us]")
        if is_event:
            time_N = values.value_N.astype("datetime64[us]")
        elif self.is_measured and when is not None:
            time_N = when.value_N[chosen_N].astype("datetime64[us]")
            kept_N &= when.good_N[chosen_N]
        if self.entry.kind is Kind.DAILY:
            # A day has one value: a time of day must not make two of one day look different.
            time_N = time_N.astype("datetime64[D]").astype("datetime64[us]")
        numeric, text = self.entry.is_numeric, not self.entry.is_numeric and not is_event
        amount = np.where(values.bad_N, str(Amount.UNUSABLE), str(Amount.ONCE))
        table = pd.DataFrame(
            {
                SUBJECT_LABEL: self.label[kept_N].to_numpy(),
                TIME: time_N[kept_N],
                CODE: self.column.code,
                NUMBER: values.value_N[kept_N] if numeric else np.nan,
                TEXT: values.value_N[kept_N] if text else None,
                AMOUNT: amount[kept_N],
                FILE: self.table.file,
                PLACE: self.label.index[kept_N].astype(str),
            }
        )
        return _added_up(table) if self.column.sessions else table


def _of_a_session(entry: Code) -> Code:
    """Return an entry with the unit of a part of the day: `min` of `min/d`."""
    return replace(entry, unit=entry.unit.removesuffix(A_DAY) or "1")


def _added_up(sessions: pd.DataFrame) -> pd.DataFrame:
    """Return one row a person and day; with a session that can't be used the day's sum can't be."""
    days = sessions.groupby([SUBJECT_LABEL, TIME], sort=False)
    lacking = (sessions[AMOUNT] == str(Amount.UNUSABLE)).groupby(days.ngroup()).any()
    table = days.first().assign(**{NUMBER: days[NUMBER].sum()}).reset_index()
    table.loc[lacking.to_numpy(), AMOUNT] = str(Amount.UNUSABLE)
    return table[list(sessions)]


def other_unit(entry: Code, unit: str) -> str:
    """Return why values in a unit can't become those of a code; empty where they can."""
    kept = f"declared in {unit!r}, but {entry.code} is kept in {entry.unit!r}"
    if unit == entry.unit:
        return ""
    if not unit or not entry.unit:
        return kept
    try:
        conversion(unit, entry.unit)
    except (NoConversion, UnitUnknown) as error:
        return f"{kept}: {error}"
    return ""


def _codes_like(column: Column) -> str:
    """Return what to write instead of a code that is not known."""
    like = get_close_matches(column.code, vocabulary(), n=3)
    use = f"use {' or '.join(like)}" if like else "use one of its codes"
    return (
        f"{use}; or define it in a file of your own, and name that in the map: vocabulary ="
        ' "codes.toml" (docs/vocabulary.md)'
    )


def declared_wrong(table: Table, column: Column, declared: ColumnMap) -> list[Problem]:
    """Return what the vocabulary says against a declared column."""
    entry = vocabulary().get(column.code)
    known = () if entry is None else entry.labels
    unknown = sorted(set(column.labels.values()) - set(known)) if known else []
    measured = entry is not None and entry.kind in {Kind.ASSESSMENT, Kind.DAILY}
    if entry is None:
        found, advice = f"{column.code!r} is not in the vocabulary", _codes_like(column)
    elif measured and not column.unit:
        found = f"it declares no unit, and {column.code} is kept in {entry.unit!r}"
        advice = f'write unit = "{entry.unit}", or the unit that the table is in (UCUM)'
    elif column.sessions and not (entry.kind is Kind.DAILY and entry.unit.endswith(A_DAY)):
        found = f"{column.code} is no amount of a day, so its rows don't add up"
        advice = "leave out sessions = true"
    elif found := other_unit(_of_a_session(entry) if column.sessions else entry, column.unit):
        advice = "name the unit that the table is in (UCUM), or convert the table first"
        if (known_of := instruments().get(column.code)) is not None and known_of.note:
            advice += f" (of this instrument: {known_of.note})"
    elif unknown:
        found = f"{', '.join(map(repr, unknown))} is no label of {column.code}"
        advice = f"use {', '.join(known)}"
    elif measured and not table.when and column.day is None:
        found = f"{column.code} is of a day"
        advice = (
            "name the column of its date as `when`; where the column is a visit itself, write its"
            " day: `day = 84`"
        )
    elif column.code == ONSET and declared.clock == DAYS:
        found = "the clock is days since onset, so the onset is day 0 of everybody"
        advice = 'leave the column out of the map, or declare clock = "timestamps"'
    else:
        return []
    return [Problem(file=table.file, row=None, field=column.column, found=found, advice=advice)]
