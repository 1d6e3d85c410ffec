"""What several imports into one cohort state of the same thing: the newer counts, by a fact.

Versions and times of change decide where all that compete have them (`versions`, and here). Where
they have none, the later import counts, and that is reported. What a person has for life is never
replaced: two exports that contradict each other there may be of two people.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, ONSET, TEXT, TIME
from contracts.errors import Problem
from contracts.vocabulary import Kind, vocabulary
from features.measurements.amounts import number_groups
from features.measurements.days import is_added_up
from features.measurements.people import AGE, AGE_SLACK, DECLARED, is_fact
from features.measurements.plausible import each
from features.measurements.records import (
    AMOUNT,
    BIRTH_DATE,
    FILE,
    IMPORTED,
    PLACE,
    RECORD_ID,
    SOURCE,
    SUBJECT_LABEL,
    UPDATED,
    Amount,
    content,
)
from features.measurements.versions import place_of, row_of

SEX = "REHABCAST//SEX"
FOR_LIFE = (SEX, BIRTH_DATE, AGE, ONSET)
"""What tells people apart. An onset that is a record of its own, as FHIR has conditions, may be one
of several; one that a table gives is the person's."""

NAMES = {SEX: "sex", BIRTH_DATE: "the date of birth", AGE: "the age", ONSET: "the onset"}


def contradictions(records: pd.DataFrame) -> list[Problem]:
    """Return which people have other facts for life in one import than in another.

    What one import contradicts itself in is not known from it (`people.facts`). Ages may differ by
    a year: people have birthdays.

    Parameters
    ----------
    records
        Of all imports, each statement in its newest version.
    """
    if records[IMPORTED].nunique() < 2:
        return []
    stated = records[records[CODE].isin(FOR_LIFE) & (records[AMOUNT] != str(Amount.UNUSABLE))]
    stated = stated[(stated[CODE] != ONSET) | (stated[RECORD_ID] == "")]
    key = [SUBJECT_LABEL, CODE, IMPORTED]
    declared = stated[SOURCE] == DECLARED
    stated = stated[declared | ~declared.groupby([stated[name] for name in key]).transform("any")]
    said = content(stated.assign(**{TIME: stated[TIME].dt.normalize()}), [NUMBER, TEXT, TIME])
    own = said.groupby([stated[name] for name in key])
    known = stated[own.transform("nunique") == 1].assign(said=said)
    pair = known.groupby([SUBJECT_LABEL, CODE])
    spread = pair[NUMBER].transform("max") - pair[NUMBER].transform("min")
    other = (pair["said"].transform("nunique") > 1) & ~(spread <= AGE_SLACK)
    latest = known[IMPORTED] == pair[IMPORTED].transform("max")
    rows = known[other & latest].drop_duplicates([SUBJECT_LABEL, CODE])
    return list(_problems(rows))


def _problems(rows: pd.DataFrame) -> Iterator[Problem]:
    for label, code, file, place in rows[[SUBJECT_LABEL, CODE, FILE, PLACE]].itertuples(
        index=False, name=None
    ):
        yield Problem(
            file=str(file) or "*",
            row=row_of(place),
            places=place_of(place),
            subject=str(label),
            field=str(code),
            found=f"{NAMES[code]} is another than in an earlier import, so this may be another"
            " person",
            advice="correct the source; if the earlier export was wrong, import all exports into a"
            " new cohort",
            cause=f"people of whom {NAMES[code]} differs between imports",
        )


def latest_imports(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out values that a newer statement of the very same thing replaces.

    The same is: a single value of one person, code and moment; a fact that may change; a reading or
    a whole day's figure of one source. Of amounts of a whole day the larger counts anyway, because
    it was read later in the day (`days`).

    Parameters
    ----------
    records
        Of all imports, each statement in its newest version.
    """
    if records[IMPORTED].nunique() < 2:
        return records, []
    thing_N, has_one_N = _things(records)
    import_N = records[IMPORTED].to_numpy()
    first_T = np.full(len(thing_N), np.iinfo(np.int64).max)
    last_T = np.zeros(len(thing_N), dtype=np.int64)
    np.minimum.at(first_T, thing_N, import_N)
    np.maximum.at(last_T, thing_N, import_N)
    # Most is stated by one import alone: only the rest needs to be compared.
    has_one_N &= (first_T < last_T)[thing_N]
    rows = records[has_one_N]
    thing = pd.Series(thing_N[has_one_N], index=rows.index)
    said = content(rows, [NUMBER, TEXT, AMOUNT])
    several = said.groupby(thing).transform("nunique") > 1
    rows, thing = rows[several], thing[several]
    if rows.empty:
        return _first_ages(records), []
    changed = rows[UPDATED]
    dated = changed.notna().groupby(thing).transform("all")
    newest = ~dated | (changed == changed.groupby(thing).transform("max"))
    left = rows[newest]
    last = left[IMPORTED] == left[IMPORTED].groupby(thing[newest]).transform("max")
    by_import = left[~last]
    problems = each(
        by_import,
        lambda _: (
            "a later import states another value and no source says which is newer; the later"
            " one counts"
        ),
        "",
        "values replaced by those of a later import",
    )
    replaced = rows.index[~newest].union(by_import.index)
    return _first_ages(records.drop(index=replaced)), problems


def _things(records: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return a number for the thing that each record is about, and which are about one at all."""
    code = records[CODE]
    fact = is_fact(code).to_numpy() & ~code.isin(FOR_LIFE).to_numpy()
    measured = code.map(
        {c: entry.kind in {Kind.ASSESSMENT, Kind.DAILY} for c, entry in vocabulary().items()}
    ).eq(True).to_numpy()  # fmt: skip
    added = code.map({c: is_added_up(c) for c in code.unique()}).to_numpy(dtype=np.bool_)
    amount = records[AMOUNT]
    once = amount.isin([str(Amount.ONCE), str(Amount.UNUSABLE)]).to_numpy()
    of_source = (amount == str(Amount.READING)) | ((amount == str(Amount.TOTAL)) & ~added)
    timed = records[TIME].notna().to_numpy()
    single = measured & once & timed
    sampled = measured & of_source.to_numpy() & timed
    moment = records[TIME].where(~fact)
    source = records[SOURCE].where(sampled | (fact & (records[SOURCE] == DECLARED)), "")
    kind = amount.where(sampled, "")
    thing_N, _ = number_groups(
        *(pd.factorize(part)[0] for part in (records[SUBJECT_LABEL], code, moment, source, kind))
    )
    return thing_N, single | sampled | fact


def _first_ages(records: pd.DataFrame) -> pd.DataFrame:
    """Of ages that differ by a birthday keep the lowest: it is the nearest to the onset."""
    ages = records[(records[CODE] == AGE) & (records[AMOUNT] != str(Amount.UNUSABLE))]
    people = ages.groupby([SUBJECT_LABEL, ages[SOURCE] == DECLARED])
    own = ages.groupby([SUBJECT_LABEL, ages[SOURCE] == DECLARED, IMPORTED])
    lower = (people[NUMBER].transform("min") < ages[NUMBER]) & (
        own[NUMBER].transform("nunique") == 1
    )
    return records.drop(index=ages.index[lower])
