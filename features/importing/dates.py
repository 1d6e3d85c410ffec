"""Gives everybody an onset, an enrolment and an age, and leaves out what contradicts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import Problem
from contracts.vocabulary import vocabulary
from features.biomarkers.reduction import CLOCK_CHANGE
from features.measurements.people import birthdays
from features.measurements.records import BIRTH_DATE
from features.recording import BY_SUBJECT, Collected

AGE = "REHABCAST//AGE"
DEVICE_CHANGE = "REHABCAST//DEVICE_CHANGE"
NO_MEASUREMENT = (BIRTH_DATE, ONSET, ENROLMENT, CLOCK_CHANGE, DEVICE_CHANGE)

Count = Callable[[str, int], None]
"""Counts how many rows or subjects a rule applied to."""


def cut_at_death(collected: Collected, deaths: Mapping[str, pd.Timestamp]) -> list[Problem]:
    """Leave out what a recording holds of days after the death of its subject."""
    problems = []
    by_subject = [getattr(collected, part) for part in BY_SUBJECT]
    for label, time in sorted(deaths.items()):
        after: list[pd.Timestamp] = []
        for tables in by_subject if pd.notna(time) else ():
            for table in tables.pop(label, []):
                when = _times(table)
                late = when.dt.normalize() > time.normalize()
                after += [when[late].max()] if late.any() else []
                if not late.all():
                    tables[label].append(table[~late])
        if after:
            problems.append(
                _problem(
                    CODE,
                    f"{label!r} died on {time:%Y-%m-%d}, but a recording goes on until"
                    f" {max(after):%Y-%m-%d}; what follows the death was left out",
                    "check the date of death and whose recording it is",
                    "recordings that go on after death",
                )
            )
    return problems


def _times(table: pd.DataFrame) -> pd.Series:
    """Return the times of a table of a recording; strides have theirs in seconds since 1970."""
    time = table[TIME]
    return time if time.dtype.kind == "M" else pd.to_datetime(time, unit="s")


def dated(
    events: pd.DataFrame, labels: Mapping[int, str], count: Count
) -> tuple[pd.DataFrame, list[Problem]]:
    """Give everybody an onset and an enrolment, and turn birth dates into ages at onset.

    Parameters
    ----------
    events
        Columns of `contracts.cohort.COLUMNS`, and birth dates as `BIRTH_DATE`.
    labels
        The source's identifier of each subject.
    count
        Receives each rule with how many subjects it applied to.
    """
    given = {
        code: events[(events[CODE] == code) & events[TIME].notna()].groupby(SUBJECT)[TIME].min()
        for code in (ONSET, ENROLMENT)
    }
    measured = events[events[TIME].notna() & ~events[CODE].isin(NO_MEASUREMENT)]
    first = measured.groupby(SUBJECT)[TIME].min().dt.normalize()
    known = first.combine_first(given[ONSET])
    undated = sorted(set(events[SUBJECT].unique().tolist()) - set(known.index))
    count("subject with nothing dated: left out", len(undated))
    problems = [
        _problem(
            SUBJECT, f"of {labels[subject]!r} nothing is dated, the subject was left out",
            "check that the source holds dated values of this subject", "subjects without a date",
        )
        for subject in undated
    ]  # fmt: skip
    events = events[events[SUBJECT].isin(known.index)]
    if events.empty:
        return events, problems
    # The first recorded day replaces a missing date: it is the earliest known of the subject.
    enrolled = given[ENROLMENT].reindex(known.index)
    earliest = known.mask(enrolled < known, enrolled)
    onset = given[ONSET].reindex(known.index).fillna(earliest)
    enrolment, more = _enrolments(enrolled, onset, measured, labels)
    for code, name in ((ONSET, "onset"), (ENROLMENT, "enrolment")):
        lacking = int((~known.index.isin(given[code].index)).sum())
        count(f"no {name} in the source: the first recorded day stands for it", lacking)
    age, unlikely = _ages(events, onset, labels)
    rest = events[~events[CODE].isin([BIRTH_DATE, ONSET, ENROLMENT])]
    added = [
        pd.DataFrame({SUBJECT: v.index, TIME: t, CODE: code, NUMBER: n, TEXT: None})
        for code, v, t, n in (
            (ONSET, onset, onset.to_numpy(), np.nan),
            (ENROLMENT, enrolment, enrolment.to_numpy(), np.nan),
            (AGE, age, pd.NaT, age.to_numpy()),
        )
        if len(v)
    ]
    filled = [part for part in (rest, *added) if len(part)]
    return pd.concat(filled, ignore_index=True), [*problems, *more, *unlikely]


def _enrolments(
    given: pd.Series, onset: pd.Series, measured: pd.DataFrame, labels: Mapping[int, str]
) -> tuple[pd.Series, list[Problem]]:
    """Return enrolments: the given one, else the first recorded day from the onset on."""
    early = given.dt.normalize() < onset.dt.normalize()
    problems = [
        _problem(
            ENROLMENT,
            f"{labels[subject]!r} was enrolled on {given[subject]:%Y-%m-%d}, before the onset on"
            f" {onset[subject]:%Y-%m-%d}; the first recorded day stands for the enrolment",
            "check both dates",
            "enrolments before the onset",
        )
        for subject in given.index[early]
    ]
    since = measured[measured[TIME].dt.normalize() >= measured[SUBJECT].map(onset).dt.normalize()]
    first = since.groupby(SUBJECT)[TIME].min().dt.normalize().reindex(onset.index)
    instead = first.mask(first.isna() | (first < onset), onset)
    return given.mask(early).fillna(instead), problems


def _ages(
    events: pd.DataFrame, onset: pd.Series, labels: Mapping[int, str]
) -> tuple[pd.Series, list[Problem]]:
    """Return ages at onset by birth date, where no age is given and the person is an adult."""
    stated = events.loc[events[CODE] == AGE, SUBJECT]
    births = events[(events[CODE] == BIRTH_DATE) & events[TIME].notna()]
    born = births[~births[SUBJECT].isin(stated)].groupby(SUBJECT)[TIME].first()
    age = birthdays(born, onset.reindex(born.index))
    entry = vocabulary()[AGE]
    low, high = float(entry.low or 0), float(entry.high or np.inf)
    possible = age.between(low, high)
    problems = [
        _problem(
            AGE,
            f"{labels[subject]!r} was born on {born[subject]:%Y-%m-%d}, which makes"
            f" {age[subject]:g} years at the onset on {onset[subject]:%Y-%m-%d}, expected"
            f" {low:g} to {high:g}; the age was left out",
            "check the date of birth and the onset",
            "impossible ages",
        )
        for subject in age.index[~possible]
    ]
    return age[possible], problems


def _problem(field: str, found: str, advice: str, cause: str) -> Problem:
    return Problem(file="*", row=None, field=field, found=found, advice=advice, cause=cause)
