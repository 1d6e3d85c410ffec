"""Reads, writes and sums up cohort folders in the MEDS layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from uuid import uuid4

import meds
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from flexible_schema import SchemaValidationError

from contracts.cohort import (
    CODE,
    COLUMNS,
    NUMBER,
    PROVENANCE_FILE,
    SUBJECT,
    TEXT,
    TIME,
    Cohort,
    Provenance,
    RuleCount,
)
from contracts.digests import folder_digest
from contracts.errors import CohortInvalid, ContractError, Problem
from contracts.vocabulary import vocabulary
from features.checks import check_blocks, check_events, in_two_files, out_of_order

DATA_FILE = f"{meds.data_subdirectory}/0.parquet"
IMPORT_REPORT = "metadata/import.json"
"""Report on each file of an import: read, left out in part, unreadable."""

EVENT_SCHEMA = pa.schema(
    zip(
        COLUMNS,
        (pa.int64(), pa.timestamp("us"), pa.string(), pa.float32(), pa.large_string()),
        strict=True,
    )
)
"""Columns of a data file, as MEDS has them."""


def write_cohort(
    events: pd.DataFrame, provenance: Provenance, folder: Path, *, extra_files: Path | None = None
) -> Cohort:
    """Check events and write them as a cohort folder, completely or not at all.

    Parameters
    ----------
    extra_files
        Folder whose content is copied into the cohort folder: minutes, an import's report.

    Returns
    -------
    The cohort as `read_cohort` would return it.

    Raises
    ------
    CohortInvalid
        The events break the contract; nothing was written.
    ContractError
        The destination exists and is not an empty folder.
    """
    check_new(folder)
    if problems := check_events(events, file=provenance.name):
        raise CohortInvalid(problems)
    with new_cohort(folder, provenance) as draft:
        write_events(_table(events), draft / DATA_FILE)
        if extra_files is not None:
            shutil.copytree(extra_files, draft, dirs_exist_ok=True)
    return read_cohort(folder)


@contextmanager
def new_cohort(folder: Path, provenance: Provenance) -> Iterator[Path]:
    """Yield a draft folder for `write_events`; when the block ends it becomes the cohort.

    More than fits in memory is written in shards: subjects in ascending order, all events of a
    subject in one file. An error in the block leaves nothing behind.

    Raises
    ------
    ContractError
        The destination exists and is not an empty folder.
    """
    check_new(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{uuid4().hex}.draft")
    try:
        for part in (meds.data_subdirectory, "metadata"):
            (draft / part).mkdir(parents=True)
        yield draft
        _write_metadata(provenance, draft)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_events(events: pa.Table, file: Path) -> None:
    """Write one data file of a draft cohort: `EVENT_SCHEMA`, sorted as `read_cohort` expects."""
    meds.DataSchema.validate(events)
    pq.write_table(events, file)


def read_cohort(folder: Path) -> Cohort:
    """Read and check a cohort folder.

    Raises
    ------
    CohortInvalid
        Unreadable or missing files, a wrong schema, a subject in two files or out of order, or
        any broken promise of `contracts.cohort`.
    """
    files = sorted((folder / meds.data_subdirectory).rglob("*.parquet"))
    if not files:
        problem = Problem(
            file=f"{folder}/{meds.data_subdirectory}",
            row=None,
            field="*",
            found="no Parquet file",
            advice="name a cohort folder in the MEDS layout",
        )
        raise CohortInvalid([problem])
    parts: dict[str, pd.DataFrame] = {}
    problems: list[Problem] = []
    for file in files:
        name = str(file.relative_to(folder))
        try:
            parts[name] = read_events(file)
        except (pa.ArrowException, OSError, SchemaValidationError, ValueError) as error:
            problems.append(_unreadable(name, error))
    if problems:
        raise CohortInvalid(problems)
    for name, part in parts.items():
        problems += [*out_of_order(part, name), *check_blocks(part, file=name)]
    problems += in_two_files(parts)
    if problems:
        raise CohortInvalid(problems)
    # Sorted file by file: sorting everything at once would hold it three times.
    tables = [_in_order(_typed(parts.pop(name))) for name in list(parts)]
    return Cohort(
        events=_in_order(pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]),
        provenance=_read_provenance(folder),
        digest=folder_digest(folder / meds.data_subdirectory),
    )


def replace_events(folder: Path, events: pd.DataFrame) -> Cohort:
    """Replace all events of a cohort folder.

    The new file is complete before the old ones are removed; a reader in between sees the old ones.

    Raises
    ------
    CohortInvalid
        The events break the contract; nothing was changed.
    """
    if problems := check_events(events, file=folder.name):
        raise CohortInvalid(problems)
    fresh = folder.with_name(f".{folder.name}.{uuid4().hex}.fresh")
    try:
        with new_cohort(fresh, _read_provenance(folder)) as draft:
            write_events(_table(events), draft / DATA_FILE)
        for file in (folder / meds.data_subdirectory).rglob("*.parquet"):
            if file != folder / DATA_FILE:
                file.unlink()
        for part in (meds.code_metadata_filepath, DATA_FILE):
            (fresh / part).replace(folder / part)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return read_cohort(folder)


def _table(events: pd.DataFrame) -> pa.Table:
    ordered = _in_order(_typed(events)).astype({CODE: object})
    return pa.table(
        [pa.array(ordered[field.name], field.type, from_pandas=True) for field in EVENT_SCHEMA],
        schema=EVENT_SCHEMA,
    )


def _in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Return typed events by subject, then time with untimed first, then code."""
    if _is_in_order(events):
        return events.reset_index(drop=True)
    return events.sort_values(
        [SUBJECT, TIME, CODE], na_position="first", kind="stable", ignore_index=True
    )


def _typed(events: pd.DataFrame) -> pd.DataFrame:
    """Return sound events with the types of a cohort: codes are categories of the vocabulary."""
    codes = pd.CategoricalDtype(sorted(vocabulary()))
    return events[list(COLUMNS)].astype({SUBJECT: "int64", CODE: codes, NUMBER: "float32"})


def _is_in_order(events: pd.DataFrame) -> bool:
    in_order = np.ones(max(len(events) - 1, 0), dtype=np.bool_)
    # From the last key to the first: a key decides where it differs, else those after it do.
    code_N = events[CODE].cat.codes.to_numpy()
    for key_N in (code_N, events[TIME].to_numpy().view(np.int64), events[SUBJECT].to_numpy()):
        here, there = key_N[:-1], key_N[1:]
        in_order = (here < there) | ((here == there) & in_order)
    return bool(in_order.all())


def check_new(folder: Path) -> None:
    """Raise ContractError if a destination exists and is not an empty folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ContractError(f"{folder} exists already", "name a new folder, or remove it first")


def _write_metadata(provenance: Provenance, draft: Path) -> None:
    pq.write_table(_code_table(draft), draft / meds.code_metadata_filepath)
    dataset = meds.DatasetMetadataSchema(
        dataset_name=provenance.name, etl_name="rehabcast", meds_version=meds.__version__
    )
    (draft / meds.dataset_metadata_filepath).write_text(json.dumps(dataset.to_dict(), indent=2))
    (draft / PROVENANCE_FILE).write_text(json.dumps(asdict(provenance), indent=2))


def _code_table(draft: Path) -> pa.Table:
    seen: set[str] = set()
    for file in (draft / meds.data_subdirectory).glob("*.parquet"):
        seen |= set(pq.read_table(file, columns=[CODE])[CODE].unique().to_pylist())
    used = [entry for code, entry in vocabulary().items() if code in seen]
    table = pa.table(
        {
            "code": pa.array([entry.code for entry in used], pa.string()),
            "description": pa.array([entry.name for entry in used], pa.string()),
            "parent_codes": pa.array([[] for _ in used], pa.list_(pa.string())),
            "unit": pa.array([entry.unit for entry in used], pa.string()),
            "low": pa.array([entry.low for entry in used], pa.float64()),
            "high": pa.array([entry.high for entry in used], pa.float64()),
            "modality": pa.array([entry.modality for entry in used], pa.string()),
        }
    )
    meds.CodeMetadataSchema.validate(table)
    return table


def read_events(file: Path) -> pd.DataFrame:
    """Read one data file of a cohort, unchecked; codes come as categories."""
    stored = pq.read_table(file, read_dictionary=[CODE])
    table = meds.DataSchema.align(stored).select(list(COLUMNS))
    # Few codes fill millions of rows: as categories they are read and compared as integers.
    table = table.set_column(COLUMNS.index(CODE), CODE, table[CODE].dictionary_encode())
    # Nulls break the cohort contract and are reported with their rows, so they are read first.
    events: pd.DataFrame = table.to_pandas()
    return events.astype({TEXT: object})


def _unreadable(name: str, error: Exception) -> Problem:
    found, advice = (
        (f"not the MEDS data schema ({error})", "write it with the columns and types of MEDS")
        if isinstance(error, SchemaValidationError)
        else (f"cannot be read as Parquet ({error})", "export it again")
    )
    return Problem(file=name, row=None, field="*", found=found, advice=advice)


def _read_provenance(folder: Path) -> Provenance:
    file = folder / PROVENANCE_FILE
    if not file.exists():
        return Provenance(name=folder.name, source="MEDS folder", simulated=False)
    try:
        record = json.loads(file.read_text("utf-8"))
        provenance = Provenance(**record)
        return replace(provenance, rules=tuple(RuleCount(**rule) for rule in record["rules"]))
    except (ValueError, TypeError, KeyError) as error:
        problem = Problem(
            file=PROVENANCE_FILE,
            row=None,
            field="*",
            found=f"not what rehabcast wrote ({error})",
            advice="import the cohort again",
        )
        raise CohortInvalid([problem]) from error
