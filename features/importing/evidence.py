"""What an import collected, kept in the cohort, so that a later import decides over all of it.

`imports/N/` holds, as Parquet, what the sources of import N state before anything was decided. A
cohort is a function of all of it: whatever the order and split of imports, the same is decided.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.importing.people import PeopleTable
from features.measurements.records import FILE, IMPORTED, records
from features.recording import BY_SUBJECT, Collected

INDEX, RECORDS, PEOPLE = "index.json", "records.parquet", "people.parquet"
OWNER, TABLE = "collected of", "collected table"
NAMED_BY_FILE = ("file", "piece")
"""Columns by which parts of recordings are told apart: files of one name may come every month."""


def keep(collected: Collected, people: PeopleTable, folder: Path) -> None:
    """Write what an import collected into a new folder."""
    folder.mkdir(parents=True)
    stated = [table for table in collected.records if len(table)]
    _write(pd.concat(stated, ignore_index=True) if stated else records([]), folder / RECORDS)
    _write(people.records, folder / PEOPLE)
    parts: dict[str, list[str]] = {}
    for part in BY_SUBJECT:
        parts[part] = _keep_part(getattr(collected, part), folder, part)
    index = {
        "read": collected.read,
        "people": {"file": people.file, "row_of": people.row_of, "heights": people.heights},
        "parts": parts,
    }
    (folder / INDEX).write_text(json.dumps(index, sort_keys=True), "utf-8")


def _keep_part(by_subject: Mapping[str, list[pd.DataFrame]], folder: Path, part: str) -> list[str]:
    """Write tables of the same columns into one file: empty columns would not be the same."""
    alike: dict[tuple[tuple[str, str], ...], list[pd.DataFrame]] = {}
    for subject, tables in by_subject.items():
        for number, table in enumerate(tables):
            columns = tuple((str(name), str(kind)) for name, kind in table.dtypes.items())
            whose = table.reset_index(drop=True)
            whose[OWNER], whose[TABLE] = subject, number
            alike.setdefault(columns, []).append(whose)
    names = []
    for number, tables in enumerate(alike.values()):
        names.append(f"{part}-{number}.parquet")
        _write(pd.concat(tables, ignore_index=True), folder / names[-1])
    return names


def _write(table: pd.DataFrame, file: Path) -> None:
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(arrow, file, compression="zstd", write_page_checksum=True)


def restored(folder: Path, number: int) -> tuple[Collected, PeopleTable]:
    """Return what import `number` kept, marked as its own."""
    index = json.loads((folder / INDEX).read_text("utf-8"))
    collected = Collected(records=[_marked(pd.read_parquet(folder / RECORDS), number)])
    collected.read = {_named(name, number): form for name, form in index["read"].items()}
    for part in BY_SUBJECT:
        tables: list[tuple[int, str, pd.DataFrame]] = []
        for name in index["parts"][part]:
            table = _named_apart(pd.read_parquet(folder / name), number)
            for (owner, place), own in table.groupby([OWNER, TABLE], sort=False):
                own = own.drop(columns=[OWNER, TABLE]).reset_index(drop=True)
                tables.append((int(str(place)), str(owner), own))
        for _, owner, own in sorted(tables, key=lambda entry: entry[:2]):
            getattr(collected, part)[owner].append(own)
    stated = index["people"]
    people = PeopleTable(
        file=stated["file"],
        records=_marked(pd.read_parquet(folder / PEOPLE), number),
        row_of=stated["row_of"],
        heights=stated["heights"],
    )
    return collected, people


def marked(collected: Collected, people: PeopleTable, number: int) -> tuple[Collected, PeopleTable]:
    """Return what a new import collected, marked as its own."""
    tables = [table.assign(**{IMPORTED: number}) for table in collected.records]
    stated = people.records.assign(**{IMPORTED: number})
    return replace(collected, records=tables), replace(people, records=stated)


def joined_people(earlier: PeopleTable, later: PeopleTable) -> PeopleTable:
    """Return the people of two tables, the rows of the later one where both have them."""
    return PeopleTable(
        file=later.file or earlier.file,
        records=pd.concat([earlier.records, later.records], ignore_index=True),
        row_of=earlier.row_of | later.row_of,
        heights=earlier.heights | later.heights,
        problems=later.problems,
    )


def _marked(table: pd.DataFrame, number: int) -> pd.DataFrame:
    names = table[FILE].where(table[FILE] == "", table[FILE] + f" of import {number}")
    own = table.copy(deep=False)
    own[IMPORTED], own[FILE] = number, names.astype(str)
    return own


def _named_apart(table: pd.DataFrame, number: int) -> pd.DataFrame:
    texts = [n for n in NAMED_BY_FILE if n in table and pd.api.types.is_string_dtype(table[n])]
    return table.assign(**{name: table[name] + f" of import {number}" for name in texts})


def _named(name: str, number: int) -> str:
    return f"{name} of import {number}"
