"""Extracts daily biomarkers anew from a cohort's minutes: subject by subject, resumable, anywhere.

Each subject's days lie in `recordings/days/<subject>.parquet` with the digest of what they were
computed from (the minutes, the query and its constants). A subject whose digest is unchanged is
skipped, so an interrupted extraction continues where it stopped. A recording that can't be read
costs its own subject and is reported; the others are not affected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from contracts.cohort import CODE, SUBJECT, TEXT, TIME, Cohort
from contracts.errors import ContractError, Problem, grouped
from features.cohort import read_cohort, replace_events
from features.minutes import CONSTANTS, MINUTES_FOLDER, QUERY, days_of, minute_files
from features.plausibility import plausible_events
from stores.folders import draft_of

DAYS_FOLDER = "recordings/days"
DIGEST = b"made_from"
BATCH = 200
"""Subjects per query; more would hold more days at once and save nothing."""

ExtractionRunner = Callable[[Sequence[Path], Path], Iterator[Problem]]
"""Extracts some subjects' minutes into a folder of days, and yields those that can't be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """A cohort after an extraction.

    Parameters
    ----------
    cohort
        As rewritten.
    extracted, kept
        Subjects extracted now, and subjects whose days were still up to date.
    problems
        Recordings that can't be read, and values left out.
    """

    cohort: Cohort
    extracted: int
    kept: int
    problems: tuple[Problem, ...]


def extract(folder: Path, runner: ExtractionRunner | None = None) -> Extracted:
    """Extract a cohort's daily biomarkers from its minutes, and replace the old ones.

    Parameters
    ----------
    folder
        Cohort folder with `recordings/minutes`.
    runner
        Extracts elsewhere, such as on a cluster; by default this process extracts.

    Raises
    ------
    ContractError
        The cohort has no minutes.
    """
    files = minute_files(folder)
    if not files:
        raise ContractError(
            f"{folder}: has no {MINUTES_FOLDER}, which only cohorts imported from recordings have",
            "import it anew with `rehabcast cohort import`",
        )
    days = folder / DAYS_FOLDER
    before = read_days(folder)
    pending = pending_files(files, days)
    problems = list((runner or extract_locally)(pending, days))
    after = read_days(folder)
    cohort = read_cohort(folder)
    problems = [_with_subject(problem, cohort) for problem in problems]
    events, excluded = plausible_events(_replaced(cohort.events, before, after))
    return Extracted(
        cohort=replace_events(folder, events),
        extracted=len(pending) - len(problems),
        kept=len(files) - len(pending),
        problems=grouped([*problems, *(part.as_problem(cohort.labels) for part in excluded)]),
    )


def _with_subject(problem: Problem, cohort: Cohort) -> Problem:
    """Name the subject of a file of minutes as its source does: the file has only the number."""
    label = cohort.label(int(problem.file.partition(".")[0]))
    return replace(problem, found=f"{problem.found} (subject {label})")


def pending_files(files: Sequence[Path], days: Path) -> list[Path]:
    """Return the minutes whose days are missing or out of date."""
    return [file for file in files if _digest_of_days(days / file.name) != input_digest(file)]


def extract_locally(files: Sequence[Path], days: Path) -> Iterator[Problem]:
    """Extract in this process, many subjects per query."""
    for start in range(0, len(files), BATCH):
        yield from extract_batch(files[start : start + BATCH], days)


def extract_batch(files: Sequence[Path], days: Path) -> Iterator[Problem]:
    """Extract some subjects in one query; if one of them makes it fail, one by one."""
    try:
        table = days_of(files)
    except duckdb.Error as error:
        if len(files) == 1:
            yield Problem(
                file=files[0].name,
                row=None,
                field="minutes",
                found=f"cannot be read ({_first_line(error)})",
                advice="import the recording again",
            )
            return
        for file in files:
            yield from extract_batch([file], days)
        return
    days.mkdir(parents=True, exist_ok=True)
    for file in files:
        own_days = table.filter(pa.compute.equal(table[SUBJECT], int(file.stem)))
        _write_days(own_days, input_digest(file), days / file.name)


def input_digest(file: Path) -> bytes:
    """Return the digest of a subject's minutes and of the rules that turn them into days."""
    rules = f"{CONSTANTS} {QUERY.read_text('utf-8')}"
    with file.open("rb") as stream:
        minutes = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashlib.sha256(f"{rules} {minutes}".encode()).hexdigest().encode()


def read_days(folder: Path) -> pd.DataFrame:
    """Return all extracted days of a cohort folder, by subject; empty where there are none."""
    files = sorted((folder / DAYS_FOLDER).glob("[0-9]*.parquet"), key=lambda f: int(f.stem))
    tables = [pq.read_table(file) for file in files]
    if not tables:
        return pd.DataFrame(columns=[SUBJECT, TIME, CODE, "numeric_value"])
    days: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return days


def _write_days(table: pa.Table, digest: bytes, file: Path) -> None:
    """Write a subject's days whole or not at all: a reader never sees half a file."""
    draft = draft_of(file)
    pq.write_table(table.replace_schema_metadata({DIGEST: digest}), draft)
    draft.replace(file)


def _digest_of_days(file: Path) -> bytes | None:
    if not file.exists():
        return None
    try:
        return (pq.read_schema(file).metadata or {}).get(DIGEST)
    except (OSError, pa.ArrowException):
        return None


def _replaced(events: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the events with the rows of the earlier extraction exchanged for the new ones."""
    keys = [SUBJECT, TIME, CODE]
    old = pd.MultiIndex.from_frame(before[keys])
    rest = events[~pd.MultiIndex.from_frame(events[keys]).isin(old)]
    new = after.assign(**{TEXT: None})
    known = pd.MultiIndex.from_frame(rest[keys])
    # A value that a record gave for the same day stays: it was there before the minutes.
    new = new[~pd.MultiIndex.from_frame(new[keys]).isin(known)]
    return pd.concat([rest, new], ignore_index=True)[list(events.columns)]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
