"""Which version of a statement counts, and statements that a source makes twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TEXT, TIME
from contracts.errors import Problem
from features.measurements.amounts import number_groups
from features.measurements.records import (
    AMOUNT,
    END,
    FILE,
    IMPORTED,
    PLACE,
    RECORD_ID,
    SOURCE,
    SUBJECT_LABEL,
    UPDATED,
    VERSION,
    Amount,
)

CONTENT = [SUBJECT_LABEL, TIME, END, CODE, NUMBER, TEXT, AMOUNT, SOURCE]

STATED = "stated"
"""Column added here: how often one file holds the statement. Only readings that nothing else can
tell apart are weighed by it (`features.measurements.days`)."""


def newest_versions(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the records of the newest version of each statement, each once.

    Of the rows with one `record_id` those with the highest version count, whatever their order and
    file; where the versions have no number, those that were changed last; where that is not known
    either, those of the latest import. Rows of the same version and import that do not say the same
    leave it open which is right: they are left out and reported. So do rows of which some have no
    number and some no time of change.

    Parameters
    ----------
    records
        With `RECORD_COLUMNS`.

    Returns
    -------
    The records with the column `STATED`.
    """
    named = records[RECORD_ID] != ""
    several = named & records[RECORD_ID].where(named).duplicated(keep=False)
    if several.any():
        # The parts of one version in one place leave nothing to decide: most people's facts.
        stated = [RECORD_ID, SUBJECT_LABEL, VERSION, UPDATED, FILE, PLACE]
        ids = records.loc[several, stated].drop_duplicates()[RECORD_ID]
        several &= records[RECORD_ID].isin(set(ids[ids.duplicated()]))
    problems: list[Problem] = []
    keep = pd.Series(True, index=records.index)
    if several.any():
        versions = records.loc[several]
        problems += _of_several_people(versions)
        newest = versions[_newest(versions)]
        open_ids = _undecided(newest)
        undecided = newest[RECORD_ID].isin(open_ids)
        problems += list(_undecided_problems(newest[undecided]))
        keep[several] = False
        keep[newest.index[~undecided]] = True
    keep &= records[AMOUNT] != str(Amount.WITHDRAWN)
    return _stated_once(records[keep]), problems


def _newest(records: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows are of each statement's highest version, last change or import."""
    kept_N = np.ones(len(records), dtype=np.bool_)
    statement_N = pd.factorize(records[RECORD_ID])[0]
    for name in (VERSION, UPDATED, IMPORTED):
        # A version without a number can't be compared with the others, nor a time with none.
        value = records[name].where(kept_N)
        groups = value.groupby(statement_N)
        known = (records[name].notna() | ~kept_N).groupby(statement_N).transform("all")
        kept_N &= (~known | (value == groups.transform("max"))).to_numpy(dtype=np.bool_)
    return kept_N


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
    """Return the statements whose newest version says different things in different places.

    The rows of one statement in one place are its parts; two places must hold the same parts, each
    any number of times.
    """
    statement_N, ids = pd.factorize(records[RECORD_ID])
    said_N, _ = number_groups(*_factors(records, CONTENT))
    _, first_S = number_groups(statement_N, said_N)
    if len(first_S) == len(ids):
        return set()
    where = _factors(records, [FILE, PLACE])
    _, first_P = number_groups(statement_N, *where, said_N)
    statement_P, said_P = statement_N[first_P], said_N[first_P]
    part_P, first_W = number_groups(statement_P, *(place_N[first_P] for place_N in where))
    # A sum does not depend on the order of the parts; it wraps around. The hash of 0 is 0.
    sum_W = np.zeros(len(first_W), dtype=np.uint64)
    np.add.at(sum_W, part_P, pd.util.hash_array(said_P + 1))
    different = pd.Series(sum_W).groupby(statement_P[first_W]).nunique() > 1
    return set(ids[different.index[different]])


def _factors(records: pd.DataFrame, names: list[str]) -> list[NDArray[np.int64]]:
    """Return a number for each different value of these columns; missing ones are alike."""
    return [pd.factorize(records[name])[0] for name in names]


def _undecided_problems(records: pd.DataFrame) -> Iterator[Problem]:
    places = records[[RECORD_ID, FILE, PLACE]].drop_duplicates()
    times = places[RECORD_ID].value_counts().to_dict()
    first = records.drop_duplicates(RECORD_ID).sort_values(RECORD_ID)[
        [RECORD_ID, FILE, PLACE, CODE]
    ]
    for record_id, file, place, code in first.itertuples(index=False, name=None):
        yield Problem(
            file=str(file),
            row=row_of(place),
            places=place_of(place),
            field=str(code),
            found=f"{record_id} is there {times[record_id]} times with different content and no"
            " version that tells which is newer, it was left out",
            advice="export it again with its versions, or keep one",
            cause="one record with different content",
        )


def _stated_once(records: pd.DataFrame) -> pd.DataFrame:
    """Leave out repetitions: rows that say the same of the same interval or moment.

    Two statements with identities of their own and only a date may be two of a kind, such as two
    sessions of therapy on one day: both stay.
    """
    # Few rows have a time and a number in common; only they need to be compared in full.
    moments = [records[name].to_numpy().view(np.int64) for name in (TIME, END, NUMBER)]
    alike = pd.Series(number_groups(*moments)[0]).duplicated(keep=False).to_numpy(copy=True)
    if alike.any():
        # A fact has neither: of these the code tells most apart.
        same_code = pd.Series(number_groups(*_factors(records[alike], [CODE, SUBJECT_LABEL]))[0])
        alike[alike] = same_code.duplicated(keep=False).to_numpy()
    stated_N = np.ones(len(records), dtype=np.int64)
    if not alike.any():
        return records.assign(**{STATED: stated_N})
    # Of equal rows the one changed last stays, in any order of the files.
    rows = records[alike].assign(at=np.flatnonzero(alike))
    rows = rows.sort_values([UPDATED, FILE, PLACE], ascending=[False, True, True], kind="stable")
    dated_only = (rows[RECORD_ID] != "") & rows[END].isna() & (rows[AMOUNT] == str(Amount.PART))
    identity_N = pd.factorize(rows[RECORD_ID].where(dated_only, ""))[0]
    statement_N, first_S = number_groups(*_factors(rows, CONTENT), identity_N)
    in_file_N, first_F = number_groups(statement_N, *_factors(rows, [FILE]))
    most_S = np.zeros(len(first_S), dtype=np.int64)
    np.maximum.at(most_S, statement_N[first_F], np.bincount(in_file_N))
    at_N = rows["at"].to_numpy()
    stated_N[at_N] = most_S[statement_N]
    keep_N = ~alike
    keep_N[at_N[first_S]] = True
    return records.assign(**{STATED: stated_N})[keep_N]


def row_of(place: object) -> int | None:
    """Return the row that a record's place names, None where it is a place in words."""
    text = str(place)
    return int(text) if text.isascii() and text.isdigit() else None


def place_of(place: object) -> tuple[str, ...]:
    """Return a record's place in words, as a problem has it; empty where it is a row."""
    return (str(place),) if place and row_of(place) is None else ()
