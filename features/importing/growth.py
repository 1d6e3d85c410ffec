"""Adds a source to a cohort: what is kept of all its sources is decided over again, together.

So the order and split of imports decide nothing, but where two of them contradict each other and
neither says which is newer. The cohort is replaced as a whole, at the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import meds
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.cohort import (
    CODE,
    ENROLMENT,
    NUMBER,
    ONSET,
    SUBJECT,
    SUBJECT_LABEL,
    TEXT,
    TIME,
    Cohort,
)
from contracts.errors import CohortInvalid, ContractError, Problem
from features.cohort import read_cohort
from features.cohort.imports import (
    HISTORY_FILE,
    IMPORTS_FOLDER,
    Entry,
    check_chain,
    read_chain,
)
from features.importing.evidence import joined_people, marked, restored
from features.importing.gather import Gathered
from features.importing.people import PeopleTable
from features.importing.writing import Changes, Earlier, Imported, Target, write_gathered
from features.measurements.identity import servers
from features.measurements.people import AGE
from features.recording import Collected
from stores.folders import draft_of, drafts_left, exchange, held

OLD, NEW = " before", " after"
GROWN = "grown"
MOVING = (ONSET, ENROLMENT)
"""Dates that are facts themselves, and may move to another day."""


def grow(folder: Path, gather: Callable[[], Gathered], *, strict: bool = False) -> Imported:
    """Add a source to a cohort.

    Parameters
    ----------
    gather
        Reads the source; called once the cohort is known to be sound and nobody else changes it.

    Raises
    ------
    ContractError
        Another import is running, the cohort can't grow, or the source counts or names other things
        than the cohort's; nothing was changed.
    CohortInvalid
        The cohort is not what its imports wrote, nothing in the source can be used, or it
        contradicts what is known of people for life; nothing was changed.
    """
    with held(folder):
        for left in drafts_left(folder, GROWN):
            shutil.rmtree(left)
        cohort, chain = _sound(folder)
        gathered = gather()
        _require_alike(gathered, cohort, chain)
        if gathered.digest in {entry.source_digest for entry in chain}:
            return Imported(cohort=cohort, read=(), changes=Changes(is_known=True))
        fresh = draft_of(folder, GROWN)
        try:
            earlier, own = _with_earlier(folder, cohort, chain, gathered)
            target = Target(destination=fresh, strict=strict)
            imported = write_gathered(own, target, earlier)
            exchange(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    if cohort.splits and imported.changes and imported.changes.people:
        note = _in_no_split(imported.cohort)
        imported = replace(imported, dropped=(*imported.dropped, *note))
    return imported


def _sound(folder: Path) -> tuple[Cohort, tuple[Entry, ...]]:
    cohort = read_cohort(folder)
    chain = read_chain(folder)
    if not chain:
        why = (
            "it is simulated, and real people do not belong in it"
            if cohort.provenance.simulated
            else "it keeps nothing of its sources: it is of an earlier version, or of a public"
            " cohort that is complete"
        )
        raise ContractError(
            f"{folder}: nothing can be added to it, as {why}",
            "import all exports into a new cohort, and add the next ones to that",
        )
    check_chain(folder, cohort.labels, to_grow=True)
    return cohort, chain


def _require_alike(gathered: Gathered, cohort: Cohort, chain: tuple[Entry, ...]) -> None:
    """Check that a source is of the same kind of people, days and plans as the cohort."""
    of_map = gathered.import_map.simulated
    simulated = of_map if gathered.origin is None else gathered.origin.simulated
    if simulated != cohort.provenance.simulated:
        kinds = ("real", "simulated") if simulated else ("simulated", "real")
        raise ContractError(
            f"the cohort has {kinds[0]} people and the source {kinds[1]} ones",
            "keep them in two cohorts: what is SIMULATED must stay recognisable",
        )
    had, has = chain[-1].rules, gathered.rules
    names = {name for entry in chain for name in entry.rules.identity}
    if not names & set(has.identity):
        raise ContractError(
            f"the cohort's people are known by {', '.join(sorted(names))}, those of the source by"
            f" {', '.join(has.identity)}: nobody can tell who is the same person",
            "name the same identifiers as before, or make another cohort of it",
        )
    if had.clock != has.clock:
        raise ContractError(
            f"the cohort's days are counted by {had.clock}, those of the source by {has.clock}",
            "declare the same clock as before, or make another cohort of it",
        )
    other = sorted(name for name in has.settings if has.settings[name] != had.settings.get(name))
    if other:
        raise ContractError(
            f"the map declares another {' and '.join(other)} than the cohort's first import",
            "declare the same as before, or import all exports into a new cohort",
        )


def _with_earlier(
    folder: Path, cohort: Cohort, chain: tuple[Entry, ...], gathered: Gathered
) -> tuple[Earlier, Gathered]:
    number = 1 + len(chain)
    collected, people = marked(gathered.collected, gathered.people, number)
    together, known = Collected(), PeopleTable()
    for entry in chain:
        if entry.what == "import":
            part, stated = restored(folder / IMPORTS_FOLDER / str(entry.number), entry.number)
            together.add(part)
            known = joined_people(known, stated)
    _require_one_server(_labels(together), _labels(collected))

    def carry(draft: Path, events: pd.DataFrame, labels: dict[int, str]) -> Changes:
        return _carried(folder, cohort, draft, events, labels, (number, gathered.name))

    earlier = Earlier(
        cohort=cohort, chain=chain, collected=together,
        people=joined_people(known, people), carry=carry,
    )  # fmt: skip
    return earlier, replace(gathered, collected=collected, people=people)


def _labels(collected: Collected) -> set[str]:
    stated = {label for table in collected.records for label in table[SUBJECT_LABEL].unique()}
    return {*collected.subjects(), *stated}


def _require_one_server(known: Iterable[str], new: Iterable[str]) -> None:
    had, has = servers(known), servers(new)
    if had and has - had:
        raise ContractError(
            "the cohort's people are numbered by another server than those of the source:"
            " one number means two people",
            "import exports of different hospitals into cohorts of their own",
        )


def _carried(
    folder: Path,
    cohort: Cohort,
    draft: Path,
    events: pd.DataFrame,
    labels: dict[int, str],
    source: tuple[int, str],
) -> Changes:
    """Put into a draft what stays: earlier sources, splits, and the history with the new rows."""
    beside = _beside(cohort, events, labels)
    _require_ages(beside)
    old, new = beside["_merge"] == "left_only", beside["_merge"] == "right_only"
    other = (beside["_merge"] == "both") & ~_is_same(beside)
    rows = beside[old | other]
    history = pd.DataFrame(
        {
            "import": source[0],
            "at": pd.Timestamp.now("UTC").tz_localize(None).floor("s"),
            "source": source[1],
            "change": ["gone" if gone else "corrected" for gone in old[rows.index]],
            SUBJECT_LABEL: rows[SUBJECT_LABEL],
            CODE: rows[CODE].astype(str),
            "time_before": rows[TIME + OLD],
            "number_before": rows[NUMBER + OLD],
            "text_before": rows[TEXT + OLD],
            "time_after": rows[TIME + NEW],
            "number_after": rows[NUMBER + NEW],
            "text_after": rows[TEXT + NEW],
        }
    )
    kept = draft / IMPORTS_FOLDER
    shutil.copytree(
        folder / IMPORTS_FOLDER, kept, copy_function=_linked, dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("history.parquet"),
    )  # fmt: skip
    before = folder / HISTORY_FILE
    tables = [pd.read_parquet(before)] if before.exists() else []
    if len(history) or tables:
        filled = [table for table in (*tables, history) if len(table)]
        table = pa.Table.from_pandas(pd.concat(filled, ignore_index=True), preserve_index=False)
        pq.write_table(table, draft / HISTORY_FILE, write_page_checksum=True)
    splits = folder / meds.subject_splits_filepath
    if splits.exists():
        (draft / meds.subject_splits_filepath).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(splits, draft / meds.subject_splits_filepath)
    return Changes(
        people=len(set(labels.values()) - set(cohort.labels.values())),
        new=int(new.sum()), corrected=int(other.sum()), gone=int(old.sum()),
    )  # fmt: skip


def _beside(cohort: Cohort, events: pd.DataFrame, labels: dict[int, str]) -> pd.DataFrame:
    """Return the values of each person, code and day, as they were and as they are now."""
    tables = []
    for table, names in ((cohort.events, cohort.labels), (events, labels)):
        tables.append(
            pd.DataFrame(
                {
                    SUBJECT_LABEL: table[SUBJECT].map(names).to_numpy(),
                    CODE: table[CODE].astype(str).to_numpy(),
                    "day": table[TIME].dt.normalize().mask(table[CODE].isin(MOVING)).array,
                    TIME: table[TIME].to_numpy(),
                    NUMBER: table[NUMBER].to_numpy(dtype="float32"),
                    TEXT: table[TEXT].to_numpy(),
                }
            )
        )
    keys = [SUBJECT_LABEL, CODE, "day"]
    return tables[0].merge(tables[1], "outer", keys, suffixes=(OLD, NEW), indicator=True)


def _is_same(beside: pd.DataFrame) -> pd.Series:
    same = pd.Series(True, index=beside.index)
    for name in (TIME, NUMBER, TEXT):
        before, after = beside[name + OLD], beside[name + NEW]
        same &= (before == after) | (before.isna() & after.isna())
    return same


def _require_ages(beside: pd.DataFrame) -> None:
    """Refuse people whose age is no longer known: another import contradicts it."""
    lost = beside[(beside[CODE] == AGE) & (beside["_merge"] == "left_only")]
    if len(lost):
        raise CohortInvalid(
            [
                Problem(
                    file="*", row=None, field=AGE, subject=str(label),
                    found="the age and the date of birth of two imports contradict each other",
                    advice="correct the source; if the earlier export was wrong, import all exports"
                    " into a new cohort",
                    cause="ages that contradict the date of birth of another import",
                )
                for label in lost[SUBJECT_LABEL]
            ]
        )  # fmt: skip


def _linked(source: str, destination: str) -> str:
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)
    return destination


def _in_no_split(cohort: Cohort) -> list[Problem]:
    lacking = len(set(cohort.events[SUBJECT].unique().tolist()) - set(cohort.splits))
    if not lacking:
        return []
    return [
        Problem(
            file=meds.subject_splits_filepath,
            row=None,
            field="split",
            found=f"{lacking} person(s) have no split and will be trained on; whoever was held out"
            " stays held out",
            advice="add them to the file if they are to be held out",
        )
    ]
