"""Measurements and observations of an OMOP export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.vocabulary import Kind
from features.sources.column_cells import CELL, ColumnCells
from features.sources.column_map import Column, Table, Zoned
from features.sources.hospital.omop_concepts import NOT_MAPPED
from features.sources.hospital.omop_meanings import Meaning, Names, Unknown
from features.sources.hospital.omop_rows import Export, groups_of, list_unknown
from features.sources.hospital.omop_tables import CdmTable, chosen, column, moments
from features.sources.records.fhir_values import SHORT_FORM
from features.sources.table_rows import Found, add_rows
from features.tables.text_tables import TextTable, read_numbers

EQUAL = "4172703"
"""OMOP's concept of the operator `=`; any other makes a value a bound and no measurement."""

VALUE, LABEL, CONCEPT = "value_as_number", "value_as_concept_id", "concept"


def add_values(table: CdmTable, export: Export) -> None:
    """Add what measurements or observations say, by the meaning of their concepts."""
    export.found.problems += table.problems
    for rows in table.files:
        label = export.people.of(rows, export.found)
        names = [f"{table.name}_concept_id", f"{table.name}_source_concept_id",
                 f"{table.name}_source_value", "unit_concept_id", "unit_source_value",
                 "qualifier_concept_id"]  # fmt: skip
        group_N, said_G = groups_of(rows, names)
        meaning_G = _apart([export.meanings.of(Names(*said)) for said in said_G])
        unknown_G = [each if isinstance(each, Unknown) else None for each in meaning_G]
        list_unknown(rows, names[0], group_N, unknown_G, export.found)
        is_whose_N = (label != "").to_numpy()
        for kind in ("number", "label", "event"):
            is_kind_G = np.array([_kind(each) == kind for each in meaning_G], dtype=np.bool_)
            if not (rows_N := is_kind_G[group_N] & is_whose_N).any():
                continue
            part = _Part(
                rows=chosen(rows, rows_N), label=label[rows_N], group_N=group_N[rows_N],
                meaning_G=meaning_G, table=table.name,
            )  # fmt: skip
            _add_part(part, kind, export)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Rows of one kind of value, with their people and meanings; G meanings."""

    rows: TextTable
    label: pd.Series
    group_N: NDArray[np.int64]
    meaning_G: Sequence[Meaning | Unknown]
    table: str

    def meanings(self) -> dict[str, Meaning]:
        """Return the meanings of the rows by the name of their column."""
        used = (self.meaning_G[group] for group in np.unique(self.group_N))
        return {each.column.column: each for each in used if isinstance(each, Meaning)}

    def is_any(self, name: str) -> NDArray[np.bool_]:
        """Return which rows have a property of their meaning."""
        flag_G = [isinstance(m, Meaning) and bool(getattr(m, name)) for m in self.meaning_G]
        return np.array(flag_G, dtype=np.bool_)[self.group_N]


def _apart(meanings: Sequence[Meaning | Unknown]) -> list[Meaning | Unknown]:
    """Give meanings that differ columns of different names, as their rows are found by these.

    Two concepts may be called alike, such as two texts that are not shown.
    """
    known: dict[str, Column] = {}
    named: list[Meaning | Unknown] = []
    for each in meanings:
        if isinstance(each, Meaning):
            for number in count(1):
                title = each.column.column + (f" ({number})" if number > 1 else "")
                own = each.column.model_copy(update={"column": title})
                if known.setdefault(title, own) == own:
                    break
            named.append(replace(each, column=own))
        else:
            named.append(each)
    return named


def _kind(meaning: Meaning | Unknown) -> str:
    if isinstance(meaning, Unknown):
        return ""
    if meaning.entry.kind is Kind.EVENT:
        return "event"
    return "number" if meaning.entry.is_numeric else "label"


def _add_part(part: _Part, kind: str, export: Export) -> None:
    found, rows = export.found, part.rows
    when = moments(rows, part.table, export.form)
    title_G = [m.column.column if isinstance(m, Meaning) else "" for m in part.meaning_G]
    date = f"{part.table}_date"
    values = {"number": VALUE, "label": LABEL, "event": date}[kind]
    cells = {
        "person_id": part.label,
        CONCEPT: pd.Series(np.array(title_G, dtype=object)[part.group_N], rows.cells.index),
        date: pd.Series(when.value_N, rows.cells.index),
    }
    if kind == "number":
        cells[VALUE] = _numbers(part, found)
    elif kind == "label":
        cells[LABEL] = _labels(part)
    table = Table(
        file=rows.file, subject="person_id", when=date, names_in=CONCEPT, values_in=values,
        columns=tuple(meaning.column for meaning in part.meanings().values()),
    )  # fmt: skip
    plain = TextTable(file=rows.file, cells=pd.DataFrame(cells))
    add_rows(plain, table, export.meanings.declared.columns(table), found, when=when)


def _numbers(part: _Part, found: Found) -> pd.Series:
    """Return the numbers of rows, without those that are no measurements."""
    rows = part.rows
    if VALUE not in rows.cells.columns:
        return pd.Series("", rows.cells.index, dtype="str")
    numbers = rows.cells[VALUE]
    operator = column(rows, "operator_concept_id")
    bound_N = ~operator.isin([EQUAL, *NOT_MAPPED]).to_numpy()
    if bound_N.any():
        bound_N &= (column(rows, VALUE) != "").to_numpy()
    cells = ColumnCells(file=rows.file, name="operator_concept_id", cells=operator, form=Zoned())
    found.problems += cells.problems(
        bound_N, f"a value with the operator {CELL} is a bound and no measurement, left out",
        "enter the value that was measured", "values with a comparator",
    )  # fmt: skip
    either_N = part.is_any("either_form")
    short_N = np.zeros_like(either_N)
    if either_N.any():
        value_N = read_numbers(numbers).value_N
        short_N = either_N & (value_N <= SHORT_FORM) & ~bound_N
        short = ColumnCells(file=rows.file, name=VALUE, cells=numbers, form=Zoned())
        found.problems += short.problems(
            short_N, f"a total of {CELL} may be of the short form of {SHORT_FORM} points or of the"
            " long one, left out", "name the concept in the map if it is of the long form",
            "totals of an instrument with two forms",
        )  # fmt: skip
    if not (bound_N | short_N).any():
        return numbers
    return numbers.astype(object).where(~(bound_N | short_N), None)


def _labels(part: _Part) -> pd.Series:
    """Return what stands for labels: a concept that the map names, else the text of the row."""
    rows = part.rows
    concept = column(rows, LABEL)
    named = {label for each in part.meanings().values() for label in each.column.labels}
    text = column(rows, "value_as_string")
    text = text.mask(text == "", column(rows, "value_source_value"))
    use_concept = concept.isin(named) | ((text == "") & ~concept.isin(NOT_MAPPED))
    return text.mask(use_concept, concept)
