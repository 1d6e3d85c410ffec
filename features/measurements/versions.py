"""Which version of a statement counts, and statements that a source makes twice."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from contracts.cohort import CODE, NUMBER, TEXT, TIME
from contracts.errors import Problem
from features.measurements.records import (
    AMOUNT,
    END,
    FILE,
    PLACE,
    RECORD_ID,
    SOURCE,
    SUBJECT_LABEL,
    UPDATED,
    VERSION,
    Amount,
    content,
)

CONTENT = [SUBJECT_LABEL, TIME, END, CODE, NUMBER, TEXT, AMOUNT, SOURCE]


def newest_versions(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the records of the newest version of each statement, each once.

    Of the rows with one `record_id` those with the highest version count, whatever their order and
    file; where the versions have no number, those that were changed last. Rows of the same version
    that do not say the same leave it open which is right: they are left out and reported.

    Parameters
    ----------
    records
        With `RECORD_COLUMNS`.
    """
    named = records[RECORD_ID] != ""
    numbered, rest = records[named], records[~named]
    problems: list[Problem] = []
    if len(numbered) and numbered.duplicated(RECORD_ID).any():
        problems += _of_several_people(numbered)
        numbered = _newest(numbered)
        open_ids = _undecided(numbered)
        problems += list(_undecided_problems(numbered[numbered[RECORD_ID].isin(open_ids)]))
        numbered = numbered[~numbered[RECORD_ID].isin(open_ids)]
    kept = pd.concat([numbered, rest]).sort_index()
    return _stated_once(kept[kept[AMOUNT] != Amount.WITHDRAWN]), problems


def _newest(records: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of each statement's highest version, else of its last change."""
    all_numbered = records[VERSION].notna().groupby(records[RECORD_ID]).transform("all")
    version = records[VERSION].where(all_numbered)
    highest = version.groupby(records[RECORD_ID]).transform("max")
    kept = records[version.isna() | (version == highest)]
    updated = kept[UPDATED].groupby(kept[RECORD_ID]).transform("max")
    return kept[updated.isna() | (kept[UPDATED] == updated)]


def _of_several_people(records: pd.DataFrame) -> list[Problem]:
    """Report statements that moved from one person to another, or share an identity by chance."""
    known = records[records[SUBJECT_LABEL] != ""]
    people = known[[RECORD_ID, SUBJECT_LABEL]].drop_duplicates()
    moved = people[people.duplicated(RECORD_ID, keep=False)]
    return [
        Problem(
            file="*",
            row=None,
            field="subject",
            found=f"{record_id} belongs to {' and '.join(map(repr, sorted(labels)))} in different"
            " versions, only the newest counts",
            advice="if these are different records, import the exports one by one",
            cause="one record of several people",
        )
        for record_id, labels in moved.groupby(RECORD_ID)[SUBJECT_LABEL]
    ]


def _undecided(records: pd.DataFrame) -> set[str]:
    """Return the statements whose newest version says different things in different places."""
    where = records[FILE] + "\n" + records[PLACE]
    # The rows of one statement in one place are its parts; two places must hold the same parts.
    parts = (
        content(records, CONTENT)
        .groupby([records[RECORD_ID], where], sort=False)
        .agg(lambda hashes: hash(tuple(sorted(hashes))))
    )
    different = parts.groupby(level=0).nunique() > 1
    return set(different[different].index)


def _undecided_problems(records: pd.DataFrame) -> Iterator[Problem]:
    for record_id, rows in records.groupby(RECORD_ID):
        first = rows.iloc[0]
        yield Problem(
            file=str(first[FILE]),
            row=row_of(first[PLACE]),
            places=place_of(first[PLACE]),
            field=str(first[CODE]),
            found=f"{record_id} is there {rows[[FILE, PLACE]].drop_duplicates().shape[0]} times with"
            " different content and no version that tells which is newer, it was left out",
            advice="export it again with its versions, or keep one",
            cause="one record with different content",
        )


def _stated_once(records: pd.DataFrame) -> pd.DataFrame:
    """Leave out repetitions: rows that say the same of the same interval or moment.

    Two statements with identities of their own and only a date may be two of a kind, such as two
    sessions of therapy on one day: both stay.
    """
    if records.empty:
        return records
    dated_only = (
        (records[RECORD_ID] != "") & records[END].isna() & (records[AMOUNT] == str(Amount.PART))
    )
    identity = records[RECORD_ID].where(dated_only, "")
    return records[~records[CONTENT].assign(identity=identity).duplicated(keep="first")]


def row_of(place: object) -> int | None:
    """Return the row that a record's place names, None where it is a place in words."""
    text = str(place)
    return int(text) if text.isascii() and text.isdigit() else None


def place_of(place: object) -> tuple[str, ...]:
    """Return a record's place in words, as a problem has it; empty where it is a row."""
    return (str(place),) if place and row_of(place) is None else ()
