"""The tables of an OMOP CDM export: CSV or Parquet files of any split, in one folder.

Column names are those of the Common Data Model 5.3 and 5.4 (OHDSI/CommonDataModel, field level
file), in small or capital letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.errors import CohortInvalid, Problem, SourceUnreadable
from features.sources import table_columns
from features.sources.column_cells import CELL, ColumnCells, Values
from features.sources.column_map import Zoned
from features.sources.format import HEAD_BYTES, text_of
from features.tables.cells import text_series
from features.tables.csv_rows import SEPARATORS
from features.tables.packed import UNPACKING, opened
from features.tables.table_files import read_table
from features.tables.text_tables import TextTable, refuse_repeated

REQUIRED = {
    "person": ("person_id", "gender_concept_id", "year_of_birth"),
    "measurement": ("person_id", "measurement_concept_id", "measurement_date"),
    "observation": ("person_id", "observation_concept_id", "observation_date"),
    "condition_occurrence": ("person_id", "condition_concept_id", "condition_start_date"),
    "procedure_occurrence": ("person_id", "procedure_concept_id", "procedure_date"),
    "visit_occurrence": ("person_id", "visit_concept_id", "visit_start_date"),
    "death": ("person_id", "death_date"),
}
"""The tables that are read, and the columns that each must have."""

CONCEPT = "concept"
"""The vocabulary table."""

AS_WRITTEN = ("person_source_value", "PERSON_SOURCE_VALUE")
"""Identifiers keep the blanks around them until these are reported."""

KEYS = {name: f"{name}_id" for name in REQUIRED if name != "death"}
"""Each table's primary key; of `death` the model has none but the person."""

WHOLE = ("_id", "_of_birth")
"""Endings of the columns that the model keeps as whole numbers."""

_PART = r"(?:[._-]?(?:part)?[._-]?\d+)?"
_ENDINGS = r"\.(?:csv|csv\.gz|tsv|tsv\.gz|txt|parquet)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CdmTable:
    """One table of the model.

    Parameters
    ----------
    name
        In the model.
    files
        Its rows by file, with column names in small letters.
    problems
        Rows that were left out: broken ones, and those that others with the same key contradict.
    """

    name: str
    files: tuple[TextTable, ...]
    problems: tuple[Problem, ...] = ()


def files_of(folder: Path, table: str) -> list[Path]:
    """Return the files of a table: `measurement.csv`, `MEASUREMENT_2.parquet`, `measurement/*`."""
    own = re.compile(f"{table}{_PART}{_ENDINGS}", re.IGNORECASE)
    found = [path for path in folder.iterdir() if path.is_file() and own.fullmatch(path.name)]
    for inner in folder.iterdir():
        if inner.is_dir() and inner.name.lower() in {table, f"{table}.parquet"}:
            suffix = re.compile(f"[^._].*{_ENDINGS}", re.IGNORECASE)
            found += [p for p in inner.iterdir() if p.is_file() and suffix.fullmatch(p.name)]
    return sorted(found)


def header_of(path: Path) -> tuple[list[str], str]:
    """Return a file's column names in small letters, and the separator that its header shows.

    The separator is not guessed from the data: of the few that there are, it is the one that gives
    the header the names of the model.
    """
    if path.suffix == ".parquet":
        try:
            return [name.lower() for name in pq.read_schema(path).names], ","
        except (OSError, ValueError, pa.ArrowException):
            return [], ","
    try:
        with opened(path, path.name) as stream:
            head = stream.read(HEAD_BYTES)
    except (*UNPACKING, SourceUnreadable):
        return [], ","
    line = text_of(head).split("\n", 1)[0]
    separator = max(SEPARATORS, key=line.count)
    return [name.strip(' \r"').lower() for name in line.split(separator)], separator


def matches(folder: Path) -> bool:
    """Return whether a folder is an OMOP export: it has people, and something of them."""
    if not folder.is_dir():
        return False
    people = files_of(folder, "person")
    others = [name for name in REQUIRED if name != "person" and files_of(folder, name)]
    return bool(people and others) and set(REQUIRED["person"]) <= set(header_of(people[0])[0])


def read_cdm_table(folder: Path, table: str, form: Zoned) -> CdmTable:
    """Read all files of a table; no files are an empty table.

    Raises
    ------
    SourceUnreadable
        As `read_table`.
    CohortInvalid
        A column is missing that the model requires.
    """
    files: list[TextTable] = []
    faults: list[Problem] = []
    problems: list[Problem] = []
    for path in files_of(folder, table):
        name = path.relative_to(folder).as_posix()
        own = form
        if "separator" not in form.model_fields_set:
            own = form.model_copy(update={"separator": header_of(path)[1]})
        rows = read_table(path, name, own, as_written=AS_WRITTEN)
        titles = [str(title).lower() for title in rows.cells.columns]
        refuse_repeated(titles, name)
        problems += rows.problems
        rows = replace(rows, cells=rows.cells.set_axis(titles, axis=1), problems=())
        faults += rows.check_columns(REQUIRED[table])
        files.append(rows)
    if faults:
        raise CohortInvalid(
            [replace(f, advice="export the table as the model has it") for f in faults]
        )
    return _without_contradictions(
        CdmTable(name=table, files=tuple(files), problems=tuple(problems))
    )


def column(rows: TextTable, name: str) -> pd.Series:
    """Return a column as text without surrounding blanks; empty cells where it is not there.

    The model's whole numbers are often written as decimal ones, as some programs do where cells of
    a column are empty: 8507.0 is 8507.
    """
    if name not in rows.cells.columns:
        return pd.Series("", index=rows.cells.index, dtype="str")
    text = text_series(rows.cells[name])
    if name.endswith(WHOLE) and text.str.contains(".", regex=False).any():
        return text.str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    return text


def chosen(rows: TextTable, rows_N: NDArray[np.bool_]) -> TextTable:
    """Return some of a table's rows."""
    return replace(rows, cells=rows.cells[rows_N])


def moments(rows: TextTable, prefix: str, form: Zoned) -> Values:
    """Return when each row was: its time of day where one is known, else its day.

    The model requires the date; where the time says another day, nobody knows which is right.
    """
    date_name, time_name = f"{prefix}_date", f"{prefix}_datetime"
    date_cells = ColumnCells(file=rows.file, name=date_name, cells=rows.cells[date_name], form=form)
    day = table_columns.times(date_cells, form.time_zone)
    if time_name not in rows.cells.columns:
        return day
    time_cells = ColumnCells(file=rows.file, name=time_name, cells=rows.cells[time_name], form=form)
    exact = table_columns.times(time_cells, form.time_zone)
    day_N, exact_N = (v.value_N.astype("datetime64[us]") for v in (day, exact))
    other_N = day.good_N & exact.good_N
    other_N &= day_N.astype("datetime64[D]") != exact_N.astype("datetime64[D]")
    found = f"{CELL} is of another day than {date_name}"
    advice = "correct the export, or time_zone in the map if times are in UTC"
    faults = time_cells.fault(other_N, int((day.good_N & exact.good_N).sum()), found, advice)
    return Values(
        value_N=np.where(
            other_N, np.datetime64("NaT"), np.where(exact.good_N, exact_N, day_N)
        ).astype("datetime64[us]"),
        good_N=(day.good_N | exact.good_N) & ~other_N,
        bad_N=(day.bad_N & ~exact.good_N) | other_N,
        problems=[
            *day.problems, *exact.problems,
            *time_cells.problems(
                other_N, f"{found}, left out", advice, "times of another day than their date"
            ),
        ],
        faults=[*day.faults, *exact.faults, *faults],
    )  # fmt: skip


def _without_contradictions(table: CdmTable) -> CdmTable:
    """Leave out rows of one primary key that say different things; in any file and order."""
    key = KEYS.get(table.name, "")
    having = [rows for rows in table.files if key in rows.cells.columns]
    if not having:
        return table
    keys = [column(rows, key) for rows in having]
    joined = pd.concat(keys, ignore_index=True)
    twice_N = (joined.duplicated(keep=False) & (joined != "")).to_numpy()
    if not twice_N.any():
        return table
    contents, at = [], 0
    for rows in having:
        some = chosen(rows, twice_N[at : at + len(rows.cells)])
        at += len(rows.cells)
        contents.append(pd.DataFrame({name: column(some, name) for name in some.cells.columns}))
    different = pd.concat(contents, ignore_index=True).fillna("").drop_duplicates()
    wrong = set(different.loc[different[key].duplicated(keep=False), key])
    files, problems = list(table.files), list(table.problems)
    for place, rows in enumerate(files):
        if key in rows.cells.columns and wrong:
            bad_N = column(rows, key).isin(wrong).to_numpy()
            cells = ColumnCells(file=rows.file, name=key, cells=rows.cells[key], form=Zoned())
            problems += cells.problems(
                bad_N, f"{CELL} is there several times with different content, left out",
                "export it again: a key of the model is there once", "keys that are there twice",
            )  # fmt: skip
            files[place] = chosen(rows, ~bad_N) if bad_N.any() else rows
    return replace(table, files=tuple(files), problems=tuple(problems))


def ids_in(tables: Sequence[CdmTable]) -> Iterator[str]:
    """Yield every concept id that the rows of tables name, as text."""
    for table in tables:
        for rows in table.files:
            for name in rows.cells.columns:
                if name.endswith("concept_id"):
                    yield from column(rows, name).unique().tolist()
