"""REDCap: a folder with a project's data dictionary and its data, as codes or as labels.

The dictionary says what a field may hold, the map which code of the vocabulary it is. Fields that
the project calls identifiers are never read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from contracts.errors import CohortInvalid, ContractError, Problem, SourceUnreadable
from contracts.vocabulary import vocabulary
from features.sources.cohorts.cohort_files import columns_of
from features.sources.column_map import Column, Table
from features.sources.hospital.assembled import assembled
from features.sources.hospital.redcap_dictionary import (
    Dictionary,
    ProjectField,
    is_dictionary,
    read_dictionary,
)
from features.sources.hospital.redcap_map import FieldOfCode, RedcapMap, read_redcap_map
from features.sources.hospital.redcap_rows import (
    EVENT,
    against_dictionary,
    labels_of,
    repeated_rows,
    with_names,
    without_extremes,
)
from features.sources.table_cohort import TableCohort
from features.sources.table_rows import Found, add_rows
from features.tables.cells import text_series
from features.tables.table_files import read_table
from features.tables.text_tables import TableForm, TextTable

NAME = "redcap"
"""As named on the command line."""


def matches(folder: Path) -> bool:
    """Return whether a folder holds a project: its dictionary, and data beside it."""
    if not folder.is_dir():
        return False
    tables = sorted(folder.glob("*.csv"))
    return len(tables) > 1 and any(is_dictionary([*columns_of(table)]) for table in tables)


def vocabulary_of(map_file: Path | None) -> str:
    """Return the file of codes that the map names, empty where it names none."""
    return read_redcap_map(map_file).vocabulary


def collect(folder: Path, map_file: Path | None) -> TableCohort:
    """Read a project.

    Raises
    ------
    ContractError
        The map can't be used, or the folder holds no project.
    CohortInvalid
        The data contradict the dictionary, or the map does: each with file, row and field.
    """
    declared = read_redcap_map(map_file)
    tables = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    dictionaries = [table for table in tables if is_dictionary([*columns_of(table)])]
    if len(dictionaries) != 1:
        raise ContractError(
            f"{folder} has {len(dictionaries)} data dictionaries of REDCap, where one is expected",
            "name the folder with the project's data dictionary and its data, both as CSV",
        )
    found = Found()
    read: list[str] = []
    try:
        dictionary = read_dictionary(dictionaries[0], declared)
        found.faults += _wrong_map(declared, dictionary)
        if found.faults:
            raise CohortInvalid(found.faults)
        for path in tables:
            if path != dictionaries[0]:
                rows = read_table(path, path.name, declared, as_written=_identifiers(dictionary))
                read.append(path.name)
                _add_file(rows, dictionary, declared, found)
    except SourceUnreadable as error:
        raise CohortInvalid([error.problem]) from error
    if found.faults:
        raise CohortInvalid(list(dict.fromkeys(found.faults)))
    return assembled(
        folder,
        map_file,
        declared,
        found,
        reader=NAME,
        source=f"REDCap project: {', '.join(read)}",
        read=read,
        also=[dictionary.file],
        identity=f"REDCap {declared.subject or dictionary.record}",
    )


def _identifiers(dictionary: Dictionary) -> list[str]:
    """Return how the record's identifier may be called in a header."""
    return [dictionary.record, dictionary.fields[dictionary.record].label]


def _wrong_map(declared: RedcapMap, dictionary: Dictionary) -> list[Problem]:
    """Return what the dictionary says against the map."""
    faults: list[Problem] = []

    def fault(name: str, found: str, advice: str) -> None:
        faults.append(
            Problem(file=dictionary.file, row=None, field=name, found=found, advice=advice)
        )

    named = [(each.field, "") for each in declared.fields]
    named += [(each.date, "date") for each in declared.fields if each.date]
    named += [(declared.subject or dictionary.record, "subject")]
    for name, use in dict.fromkeys(named):
        entry = dictionary.fields.get(name)
        if entry is None:
            fault(name, "the project has no such field", "name a field of the dictionary in the map"
                  " (of a checkbox `field___code`)")  # fmt: skip
        elif entry.is_identifier:
            fault(name, "an identifier by the dictionary, and identifiers are not read",
                  "name another field, or correct the dictionary if it names nobody")  # fmt: skip
        elif use == "date" and not entry.is_date:
            fault(name, "no date field: the dictionary does not let only dates into it",
                  "name a field with a date validation")  # fmt: skip
    return faults


def _add_file(rows: TextTable, dictionary: Dictionary, declared: RedcapMap, found: Found) -> None:
    rows, faults = with_names(rows, dictionary)
    found.faults += faults or repeated_rows(rows, dictionary)
    if found.faults:
        return
    found.problems += [*rows.problems, *_not_read(rows, dictionary)]
    subject = declared.subject or dictionary.record
    used = [name for each in declared.fields for name in (each.field, each.date)]
    for name in dict.fromkeys(filter(None, used)):
        if name in rows.cells.columns:
            field = dictionary.fields[name]
            found.faults += against_dictionary(rows, field, _form(declared, field))
    if found.faults:
        return
    for label in text_series(rows.cells[subject]).unique() if subject in rows.cells else ():
        found.written[label].setdefault(label, rows.file)
    for each in declared.fields:
        if each.field in rows.cells.columns:
            _add_field(rows, each, dictionary, declared, found)
    # Each field is a table of its own, in which not everybody has a row.
    found.listed.clear()


def _form(
    declared: RedcapMap, field: ProjectField, missing: tuple[str, ...] | None = None
) -> TableForm:
    """Return how a field's cells are written: as the map says, else as the dictionary."""
    decimal = declared.decimal if "decimal" in declared.model_fields_set else field.decimal
    return TableForm(decimal=decimal, missing=declared.missing if missing is None else missing)


def _not_read(rows: TextTable, dictionary: Dictionary) -> list[Problem]:
    """Name the fields that identify people and are left alone."""
    names = [name for name, each in dictionary.fields.items()
             if each.is_identifier and name in rows.cells.columns]  # fmt: skip
    if not names:
        return []
    found = f"identifiers by the dictionary, not read: {', '.join(names)}"
    return [Problem(file=rows.file, row=None, field="Identifier?", found=found)]


def _add_field(
    rows: TextTable, each: FieldOfCode, dictionary: Dictionary, declared: RedcapMap, found: Found
) -> None:
    """Add what one field holds, in the rows in which it is filled in."""
    field = dictionary.fields[each.field]
    kept_N = (text_series(rows.cells[field.name]) != "").to_numpy(copy=True)
    if each.events:
        events = text_series(rows.cells[EVENT]) if EVENT in rows.cells else pd.Series(
            "", rows.cells.index, dtype="str")  # fmt: skip
        found.problems += _no_such_event(rows, each, events)
        kept_N &= events.isin(each.events).to_numpy()
    some = TextTable(file=rows.file, cells=rows.cells[kept_N])
    if not np.any(kept_N):
        return
    form = _form(declared, field, each.missing)
    some, problems = without_extremes(some, field, form)
    found.problems += problems
    entry = vocabulary().get(each.code)
    labels = dict(each.labels)
    if field.choices and entry is not None:
        labels, faults = labels_of(some, field, entry, each, form.missing)
        found.faults += faults
        if entry.is_numeric:
            cells = text_series(some.cells[field.name])
            numbers = cells.map(labels).where(cells.isin(labels), cells)
            some = TextTable(file=some.file, cells=some.cells.assign(**{field.name: numbers}))
            labels = {}
    subject = declared.subject or dictionary.record
    table = Table(
        file=rows.file, subject=subject, when=each.date, decimal=form.decimal,
        columns=(Column(column=field.name, code=each.code, unit=each.unit, labels=labels,
                        missing=each.missing),),
    )  # fmt: skip
    used = list(dict.fromkeys(filter(None, (subject, each.date, field.name))))
    lacking = some.check_columns(used)
    if lacking:
        found.faults += lacking
        return
    plain = TextTable(file=some.file, cells=some.cells[used])
    add_rows(plain, table, declared.columns(table), found)


def _no_such_event(rows: TextTable, each: FieldOfCode, events: pd.Series) -> list[Problem]:
    unknown = sorted(set(each.events) - set(events.unique()))
    if not unknown:
        return []
    return [
        Problem(
            file=rows.file, row=None, field=EVENT,
            found=f"no row is of the event {', '.join(map(repr, unknown))}, in which the map reads"
            f" {each.field}",
            advice="name events as the export writes them",
        )
    ]  # fmt: skip
