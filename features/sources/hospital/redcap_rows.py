"""The rows of a REDCap export, checked against the project's dictionary before they are read.

What the dictionary says cannot be there means that the two do not belong together: it refuses the
export, with row and field.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.errors import Problem
from contracts.vocabulary import Code
from features.sources.column_cells import CELL, ColumnCells
from features.sources.hospital.redcap_dictionary import Dictionary, ProjectField
from features.sources.hospital.redcap_map import FieldOfCode
from features.tables.cells import as_text, is_any_of, text_series
from features.tables.text_tables import TableForm, TextTable, read_numbers

EVENT, REPEATED, INSTANCE = (
    "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance",
)  # fmt: skip
LABELLED = {
    "Event Name": EVENT, "Repeat Instrument": REPEATED, "Repeat Instance": INSTANCE,
}  # fmt: skip
"""Columns of REDCap itself, as an export with labels calls them."""

NOT_THEIRS = "use the data dictionary of the time of the export, or correct the cell in the project"
ISO = r"^\d{4}-\d{2}-\d{2}( \d{2}:\d{2}(:\d{2})?)?$"


def with_names(rows: TextTable, dictionary: Dictionary) -> tuple[TextTable, list[Problem]]:
    """Return an export with the names of fields as columns, whichever way its header was written.

    A label that two fields have names neither.
    """
    titles = [str(title) for title in rows.cells.columns]
    if dictionary.record in titles:
        return rows, []
    by_label: dict[str, list[str]] = {}
    for name, each in dictionary.fields.items():
        by_label.setdefault(each.label, []).append(name)
    names = {
        title: found[0] for title in titles if len(found := by_label.get(title, [])) == 1
    } | LABELLED
    if dictionary.record not in names.values():
        neither = f"neither {dictionary.record} nor its label {_label(dictionary)!r} is a column"
        return rows, [
            Problem(
                file=rows.file, row=1, field=dictionary.record, found=neither,
                advice="export the project's data with the record's identifier",
            )
        ]  # fmt: skip
    return replace(rows, cells=rows.cells.rename(columns=names)), []


def _label(dictionary: Dictionary) -> str:
    return dictionary.fields[dictionary.record].label


def repeated_rows(rows: TextTable, dictionary: Dictionary) -> list[Problem]:
    """Return rows of one record, event and instance with different content: REDCap has one."""
    key = [name for name in (dictionary.record, EVENT, REPEATED, INSTANCE)
           if name in rows.cells.columns]  # fmt: skip
    different = rows.cells.astype(str).drop_duplicates()
    twice = different[different.duplicated(key, keep=False)]
    if twice.empty:
        return []
    return [
        Problem(
            file=rows.file, row=int(twice.index[0]), field=", ".join(key), count=len(twice),
            found="the same record, event and instance is there with different content",
            advice="export the data once more: a project has one row of each",
        )
    ]  # fmt: skip


def _elsewhere(rows: TextTable, field: ProjectField, filled_N: NDArray[np.bool_]) -> list[Problem]:
    """Return cells that are filled in a row of another form than the field's."""
    if REPEATED not in rows.cells.columns:
        return []
    form = text_series(rows.cells[REPEATED])
    # With labels the form is called by its title, which the dictionary does not have.
    is_raw = form.isin(["", field.form]) | form.str.fullmatch(r"[a-z0-9_]+")
    other_N = filled_N & (is_raw & ~form.isin(["", field.form])).to_numpy()
    return _against(
        rows, field, other_N, f"{CELL} in a row of another form, and the field is of {field.form}"
    )


def against_dictionary(rows: TextTable, field: ProjectField, form: TableForm) -> list[Problem]:
    """Return cells of a field that the dictionary does not allow."""
    text = text_series(rows.cells[field.name])
    filled_N = (text != "").to_numpy() & ~is_any_of(as_text(text), form.missing)
    faults = _elsewhere(rows, field, filled_N)
    if field.choices:
        known = text.isin([*field.choices, *field.choices.values()]).to_numpy()
        listed = ", ".join(f"{code} = {label}" for code, label in list(field.choices.items())[:8])
        found = f"{CELL} is no choice of the field ({listed})"
        return [*faults, *_against(rows, field, filled_N & ~known, found)]
    if field.is_date:
        iso_N = np.array(pc.match_substring_regex(as_text(text), ISO).to_numpy(), dtype=np.bool_)
        found = f"{CELL} where the dictionary has {field.validation}, exported as YYYY-MM-DD"
        return [*faults, *_against(rows, field, filled_N & ~iso_N, found)]
    if field.validation.startswith(("number", "integer")):
        read = read_numbers(text, form)
        wrong_N = read.bad_N
        if field.validation == "integer":
            wrong_N = wrong_N | (read.value_N % 1 > 0)
        found = f"{CELL} where the dictionary has {field.validation}"
        return [*faults, *_against(rows, field, filled_N & wrong_N, found)]
    return faults


def _against(
    rows: TextTable, field: ProjectField, wrong_N: NDArray[np.bool_], found: str
) -> list[Problem]:
    cells = ColumnCells(
        file=rows.file, name=field.name, cells=rows.cells[field.name], form=TableForm()
    )
    return cells.problems(wrong_N, found, NOT_THEIRS, "cells that the dictionary does not allow")


def without_extremes(
    rows: TextTable, field: ProjectField, form: TableForm
) -> tuple[TextTable, list[Problem]]:
    """Leave out numbers beyond the dictionary's least and greatest value, and name them."""
    low, high = (read_numbers(pd.Series([end]), form).value_N[0] for end in (field.low, field.high))
    if field.is_date or np.isnan([low, high]).all():
        return rows, []
    value_N = read_numbers(text_series(rows.cells[field.name]), form).value_N
    beyond_N = (value_N < low) | (value_N > high)
    cells = ColumnCells(
        file=rows.file, name=field.name, cells=rows.cells[field.name], form=TableForm()
    )
    problems = cells.problems(
        beyond_N, f"{CELL} is beyond the dictionary's ends ({field.low or '-'} to"
        f" {field.high or '-'}), left out",
        "correct the entry in the project", "numbers beyond the dictionary's ends",
    )  # fmt: skip
    kept = rows.cells[field.name].mask(beyond_N, "")
    return replace(rows, cells=rows.cells.assign(**{field.name: kept})), problems


def labels_of(
    rows: TextTable,
    field: ProjectField,
    entry: Code,
    declared: FieldOfCode,
    missing: tuple[str, ...],
) -> tuple[dict[str, str], list[Problem]]:
    """Return what a chosen field's cells mean, by what the export writes: codes or labels.

    Whether it writes codes or labels must be clear from the cells: where `1` is the code of one
    choice and the label of another, nobody knows.
    """
    none = {word.strip().casefold() for word in ("", *missing)}
    cells = text_series(rows.cells[field.name]).unique()
    written = {cell for cell in cells if cell.casefold() not in none}
    clashing = [
        label for code, label in field.choices.items() if label in field.choices and label != code
    ]
    as_codes = written <= set(field.choices)
    as_labels = written <= set(field.choices.values())
    if clashing and as_codes and as_labels:
        return {}, [
            Problem(
                file=rows.file, row=int(rows.cells.index[0]), field=field.name,
                found=f"{clashing[0]!r} is the code of one choice and the label of another: whether"
                " the export has codes or labels is not known",
                advice="give the choices of the project other labels, and export again",
            )
        ]  # fmt: skip
    meaning = {code: _meant(code, label, entry, declared) for code, label in field.choices.items()}
    by_label = {label: meaning[code] for code, label in field.choices.items()}
    both = by_label | meaning if as_codes else meaning | by_label
    return {cell: label for cell, label in both.items() if label}, []


def _meant(code: str, label: str, entry: Code, declared: FieldOfCode) -> str:
    if declared.code_is_value:
        return code
    given = declared.labels.get(code, declared.labels.get(label, ""))
    own = {each.casefold(): each for each in entry.labels}
    return given or own.get(label.casefold(), "" if entry.labels else label)
