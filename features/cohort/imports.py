"""The chain of a cohort's imports: which sources made it what it is, each entry over the last.

`metadata/imports.json` has an entry for each import, with digests of the source, of what was kept
of it (`imports/N`), of the data after it, and of the entry before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import meds
from pydantic import TypeAdapter

from contracts.cohort import SUBJECTS_FILE
from contracts.digests import file_digest, folder_digest, record_digest
from contracts.errors import CohortInvalid, Problem
from contracts.groups import people_in_words
from features.cohort.stored import FAULTS, damaged, read_object

IMPORTS_FILE = "metadata/imports.json"
IMPORTS_FOLDER = "imports"
HISTORY_FILE = f"{IMPORTS_FOLDER}/history.parquet"
"""Every value that a later import replaced."""

FORM = "rehabcast-imports/1"
NEVER_EDIT = "import its sources again into a new cohort; a cohort is not edited by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What all imports into one cohort must have in common.

    Parameters
    ----------
    identity
        How subjects are identified: by which columns, or by the identifiers of recordings.
    clock
        What a day is counted by.
    settings
        What the map declares of the cohort as a whole, by name.
    """

    identity: tuple[str, ...]
    clock: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One import.

    Parameters
    ----------
    number, at, what
        From 1; when, in UTC; `import`, or `extraction` of days from the same minutes.
    source, file_format, source_digest
        Name and format of what was imported, and the digest of its files and its map.
    reader
        Version of the program that read it.
    rules
        What the next import must have in common with it.
    changed
        How many people and values are new, corrected and gone, as they may be shown.
    kept, data, labels, history
        Digests of what was kept of the source, of the data after it, of who is whose number, and of
        what was replaced until then.
    previous
        Digest of the entry before; empty in the first.
    """

    number: int
    at: str
    what: str
    source: str
    file_format: str
    source_digest: str
    reader: str
    rules: Rules
    changed: Mapping[str, str]
    kept: str
    data: str
    labels: str
    history: str
    previous: str

    @property
    def digest(self) -> str:
        """Digest of the entry with all before it."""
        return record_digest(asdict(self))


def new_entry(
    chain: Sequence[Entry],
    *,
    source: str,
    file_format: str,
    source_digest: str,
    rules: Rules,
    changed: Mapping[str, int],
) -> Entry:
    """Return an import's entry, without the digests of files that are still to be written."""
    return Entry(
        number=1 + len(chain), at=_now(), what="import", source=source, file_format=file_format,
        source_digest=source_digest, reader=version("rehabcast"), rules=rules,
        changed={name: people_in_words(count) for name, count in changed.items()},
        kept="", data="", labels="", history="", previous=chain[-1].digest if chain else "",
    )  # fmt: skip


def write_chain(folder: Path, chain: Sequence[Entry], entry: Entry, labels: str) -> None:
    """Add an entry over the files of a draft, and write the chain."""
    kept = folder / IMPORTS_FOLDER / str(entry.number)
    complete = replace(
        entry,
        kept=folder_digest(kept) if kept.is_dir() else "",
        data=folder_digest(folder / meds.data_subdirectory),
        labels=labels,
        history=_digest(folder / HISTORY_FILE),
    )
    document = {"form": FORM, "imports": [asdict(one) for one in (*chain, complete)]}
    (folder / IMPORTS_FILE).write_text(json.dumps(document, indent=1), "utf-8")


def labels_digest(labels: Mapping[int, str]) -> str:
    """Return the digest of which identifier is whose number."""
    return record_digest({str(number): label for number, label in labels.items()})


def add_extraction(folder: Path, labels: Mapping[int, str]) -> None:
    """Add to a chain that the same minutes gave other days; a cohort without a chain gets none."""
    chain = read_chain(folder)
    if not chain:
        return
    entry = replace(
        chain[-1], number=1 + len(chain), at=_now(), what="extraction", changed={},
        reader=version("rehabcast"), previous=chain[-1].digest,
    )  # fmt: skip
    write_chain(folder, chain, entry, labels_digest(labels))


def read_chain(folder: Path) -> tuple[Entry, ...]:
    """Return a cohort's imports; none where it has no chain.

    Raises
    ------
    CohortInvalid
        The file is damaged, of a later form, or an entry is not that which the next one follows.
    """
    file = folder / IMPORTS_FILE
    if not file.exists() and not file.is_symlink():
        return ()
    try:
        document = read_object(file)
        if (form := document.get("form")) != FORM:
            raise ValueError(f"its form is {form!r}, this version reads {FORM!r}")
        chain = TypeAdapter(tuple[Entry, ...]).validate_python(document["imports"])
    except FAULTS as error:
        raise CohortInvalid([damaged(IMPORTS_FILE, error, folder)]) from error
    before = ""
    for number, entry in enumerate(chain, start=1):
        if entry.number != number or entry.previous != before:
            raise CohortInvalid([_broken(f"entry {number} does not follow the one before it")])
        before = entry.digest
    return chain


def check_chain(folder: Path, labels: Mapping[int, str], *, to_grow: bool = False) -> None:
    """Check that a cohort is what its imports made it.

    Parameters
    ----------
    to_grow
        Also require what was kept of its sources, which an exported cohort does not have.

    Raises
    ------
    CohortInvalid
        Its data, its subjects, its history or what it kept of a source is not what an import wrote.
    """
    chain = read_chain(folder)
    if not chain:
        return
    last = chain[-1]
    problems = []
    if folder_digest(folder / meds.data_subdirectory) != last.data:
        problems.append(_broken("its data are not those that its last import wrote", "data"))
    if labels_digest(labels) != last.labels:
        problems.append(_broken("its subjects have other numbers or names", SUBJECTS_FILE))
    kept = folder / IMPORTS_FOLDER
    if kept.exists() or to_grow:
        if _digest(folder / HISTORY_FILE) != last.history:
            problems.append(_broken("its history is not as it was written", HISTORY_FILE))
        for entry in chain:
            own = kept / str(entry.number)
            if entry.what == "import" and (not own.is_dir() or folder_digest(own) != entry.kept):
                found = f"what was kept of import {entry.number} is missing or was changed"
                problems.append(_broken(found, f"{IMPORTS_FOLDER}/{entry.number}"))
    if problems:
        raise CohortInvalid(problems)


def _digest(file: Path) -> str:
    return file_digest(file) if file.is_file() else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _broken(found: str, file: str = IMPORTS_FILE) -> Problem:
    return Problem(file=file, row=None, field="*", found=found, advice=NEVER_EDIT)
