"""Reads and writes cohort folders in the MEDS layout."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import meds
import numpy as np
import pandas as pd
import pyarrow as pa

from contracts.cohort import (
    CODE,
    COLUMNS,
    NUMBER,
    SUBJECT,
    TIME,
    Cohort,
    Provenance,
)
from contracts.digests import file_digest, folder_digest, record_digest
from contracts.errors import CohortInvalid, ContractError, Problem
from contracts.vocabulary import Codes, codes_with, learning, vocabulary
from features.checks import check_events
from features.cohort.data_file import (
    EVENT_SCHEMA,
    clock_notes,
    read_events,
    write_events,
)
from features.cohort.file_checks import check_file, in_two_files
from features.cohort.imports import add_extraction
from features.cohort.metadata import (
    OWN_CODES,
    check_labels,
    check_metadata,
    read_labels,
    read_own_codes,
    read_provenance,
    write_metadata,
)
from features.cohort.splits import read_splits
from features.cohort.stored import faults_as_problems
from stores.folders import drafted

DATA_FILE = f"{meds.data_subdirectory}/0.parquet"
IMPORT_REPORT = "metadata/import.json"
"""Report on each file of an import: read, left out in part, unreadable."""


def write_cohort(
    events: pd.DataFrame,
    provenance: Provenance,
    folder: Path,
    *,
    labels: Mapping[int, str] | None = None,
    extra_files: Path | None = None,
    finish: Callable[[Path], None] | None = None,
) -> Cohort:
    """Check events and write them as a cohort folder, completely or not at all.

    Parameters
    ----------
    labels
        The source's identifier of each subject; None where the numbers are the identifiers.
    extra_files
        Folder whose content is copied into the cohort folder: minutes, an import's report.
    finish
        Called with the draft once its data and extra files are there.

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
    labels = labels or {}
    problems = check_labels(labels, events) + check_events(
        events, file=provenance.name, labels=labels, dates_shifted=provenance.dates_shifted
    )
    if problems:
        raise CohortInvalid(problems)
    with new_cohort(folder, provenance, labels) as draft:
        write_events(_table(events), draft / DATA_FILE)
        if extra_files is not None:
            shutil.copytree(extra_files, draft, copy_function=_moved, dirs_exist_ok=True)
        if finish is not None:
            finish(draft)
    return read_cohort(folder)


@contextmanager
def new_cohort(
    folder: Path, provenance: Provenance, labels: Mapping[int, str] | None = None
) -> Iterator[Path]:
    """Yield a draft folder for `write_events`; when the block ends it becomes the cohort.

    More than fits in memory is written in shards: subjects in ascending order, all events of a
    subject in one file. An error in the block leaves nothing behind.

    Raises
    ------
    ContractError
        The destination exists and is not an empty folder, or can't be written.
    """
    check_new(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with drafted(folder) as draft:
            for part in (meds.data_subdirectory, "metadata"):
                (draft / part).mkdir()
            yield draft
            write_metadata(provenance, labels or {}, draft)
            # An empty folder of that name is replaced; one that was filled meanwhile is not.
            draft.rename(folder)
    except OSError as error:
        raise ContractError(
            f"{folder}: cannot be written ({error.strerror or error})",
            "check the disk's free space and that you may write there",
        ) from error


def read_cohort(folder: Path) -> Cohort:
    """Read and check a cohort folder.

    Raises
    ------
    CohortInvalid
        Unreadable or missing files, a wrong schema, a subject in two files or out of order,
        codes of its own that mean something else already, or any broken promise of
        `contracts.cohort`.
    """
    own = read_own_codes(folder)
    with learning(own):
        return _read(folder, codes_with(own))


def _read(folder: Path, codes: Codes) -> Cohort:
    found = (folder / meds.data_subdirectory).rglob("*.parquet")
    files = sorted(file for file in found if not file.is_dir())
    if not files:
        problem = Problem(
            file=f"{folder}/{meds.data_subdirectory}",
            row=None,
            field="*",
            found="no Parquet file",
            advice="name a cohort folder in the MEDS layout",
        )
        raise CohortInvalid([problem])
    problems = check_metadata(folder)
    provenance, labels = read_provenance(folder), read_labels(folder)
    splits = read_splits(folder)
    parts: dict[str, pd.DataFrame] = {}
    notes: list[Problem] = []
    for file in files:
        name = str(file.relative_to(folder))
        with faults_as_problems(name, folder, problems):
            parts[name] = read_events(file)
            notes += clock_notes(file, name)
    if not problems and not any(map(len, parts.values())):
        problems.append(_no_event())
    if problems:
        raise CohortInvalid(problems)
    for name, part in parts.items():
        problems += check_file(
            part, file=name, labels=labels, dates_shifted=provenance.dates_shifted, codes=codes
        )
        problems += check_labels(labels, part)
    problems += in_two_files(parts, labels)
    if problems:
        raise CohortInvalid(problems)
    # Sorted file by file: sorting everything at once would hold it three times.
    tables = [_in_order(_typed(parts.pop(name), codes)) for name in list(parts)]
    return Cohort(
        events=_in_order(pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]),
        provenance=provenance,
        digest=_digest(folder),
        labels=labels,
        splits=splits,
        notes=tuple(notes),
    )


def _digest(folder: Path) -> str:
    """Return the digest of the data, and of what the cohort's own codes mean where it has any."""
    data, own = folder_digest(folder / meds.data_subdirectory), folder / OWN_CODES
    return record_digest({"data": data, "codes": file_digest(own)}) if own.is_file() else data


def _no_event() -> Problem:
    return Problem(
        file=meds.data_subdirectory,
        row=None,
        field="*",
        found="it holds no event of anybody",
        advice="import the cohort again, or restore its files",
    )


def replace_events(folder: Path, events: pd.DataFrame) -> Cohort:
    """Replace all events of a cohort folder; who is who and where it comes from stay.

    The new file is complete before it takes the place of an old one. Should the program end before
    other old files are removed, subjects stand in two files and no reader accepts the cohort.

    Raises
    ------
    CohortInvalid
        The events break the contract; nothing was changed.
    """
    provenance, labels = read_provenance(folder), read_labels(folder)
    own = read_own_codes(folder)
    problems = check_labels(labels, events) + check_events(
        events, file=folder.name, labels=labels, dates_shifted=provenance.dates_shifted,
        codes=codes_with(own),
    )  # fmt: skip
    if problems:
        raise CohortInvalid(problems)
    with drafted(folder) as beside:
        fresh = beside / "fresh"
        with new_cohort(fresh, provenance) as draft:
            write_events(_table(events), draft / DATA_FILE)
        for part in (meds.code_metadata_filepath, DATA_FILE):
            (fresh / part).replace(folder / part)
        if (fresh / OWN_CODES).exists() and not own.codes:
            (fresh / OWN_CODES).replace(folder / OWN_CODES)
        for file in (folder / meds.data_subdirectory).rglob("*.parquet"):
            if file != folder / DATA_FILE:
                file.unlink()
    add_extraction(folder, labels)
    return read_cohort(folder)


def _moved(source: str, destination: str) -> str:
    return str(shutil.move(source, destination))


def _table(events: pd.DataFrame) -> pa.Table:
    ordered = _in_order(_typed(events, vocabulary())).astype({CODE: object})
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


def _typed(events: pd.DataFrame, known: Codes) -> pd.DataFrame:
    """Return sound events with the types of a cohort: codes are categories of the vocabulary."""
    codes = pd.CategoricalDtype(sorted(known))
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
