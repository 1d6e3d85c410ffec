"""Facts and dates of a person: one of each, and the onset of the condition that is meant."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, TEXT, TIME
from contracts.errors import Problem
from contracts.vocabulary import Kind, vocabulary
from features.measurements.lookups import looked_up
from features.measurements.plausible import each
from features.measurements.records import (
    BIRTH_DATE,
    DEATH,
    SOURCE,
    SUBJECT_LABEL,
    content,
)

DECLARED = "declared"
"""Source of records that the user declares, in the people table or in the request: they count
before any other."""

AGE = "REHABCAST//AGE"
AGE_SLACK = 1.0
"""Years by which an age may differ from the date of birth: some round it (local)."""

SAME_EVENT_DAYS = 28
"""Records of one condition whose onsets lie closer are one event (WHO MONICA, Asplund 1988)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnsetChoice:
    """Which of several onsets of a person counts, as a fact to be worded.

    Parameters
    ----------
    subject_label, chosen, others
        The person, the onset that counts, and the other events' onsets.
    """

    subject_label: str
    chosen: pd.Timestamp
    others: tuple[pd.Timestamp, ...]


def facts(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return facts of which a person has one; where sources contradict each other none counts.

    What the user declares counts before anything else. A side, a sex or an enrolment of which two
    values are left is not known, and everything that depends on it must treat it so.
    """
    table = _declared_first(records)
    if not table.duplicated([SUBJECT_LABEL, CODE]).any():
        return table, []
    stated = content(table.assign(**{TIME: table[TIME].dt.normalize()}), [NUMBER, TEXT, TIME])
    differ = stated.groupby([table[SUBJECT_LABEL], table[CODE]]).transform("nunique") > 1
    problems = each(
        table[differ],
        lambda row: f"several different values of {_name(row[CODE])} for one person",
        "correct it in the source, or declare the right one in the people table",
        "facts that contradict each other",
    )
    return table[~differ].drop_duplicates([SUBJECT_LABEL, CODE]), problems


def onsets(
    candidates: pd.DataFrame, enrolments: pd.DataFrame, last_score: pd.Series
) -> tuple[pd.DataFrame, list[OnsetChoice]]:
    """Return one onset a person: the declared one, else the latest before enrolment.

    Parameters
    ----------
    candidates
        Records of the condition's onsets; several of one event are one, on its first day.
    enrolments
        Records of enrolments, one a person.
    last_score
        Time of each person's newest assessment, by subject label: it stands for an enrolment that
        nobody states, because a forecast starts from the newest score.
    """
    table = _declared_first(candidates).sort_values([SUBJECT_LABEL, TIME], kind="stable")
    reference = enrolments.set_index(SUBJECT_LABEL)[TIME].combine_first(last_score)
    several = table[SUBJECT_LABEL].duplicated(keep=False)
    kept, choices = [table[~several]], []
    for label, rows in table[several].groupby(SUBJECT_LABEL, sort=True):
        gap = rows[TIME].dt.normalize().diff() > pd.Timedelta(days=SAME_EVENT_DAYS)
        events = rows[gap | (rows[TIME] == rows[TIME].iloc[0])].drop_duplicates(TIME)
        until = reference.get(label, pd.NaT)
        day = events[TIME].dt.normalize()
        before = events if pd.isna(until) else events[day <= until.normalize()]
        chosen = (before if len(before) else events.head(1)).tail(1)
        kept.append(chosen)
        if len(events) > 1:
            others = tuple(events[TIME][events.index != chosen.index[0]])
            choices.append(
                OnsetChoice(subject_label=str(label), chosen=chosen[TIME].iloc[0], others=others)
            )
    return pd.concat(kept), choices


def onset_problem(choice: OnsetChoice, file: str) -> Problem:
    """Return the choice between several events as an import reports it."""
    others = ", ".join(f"{time:%Y-%m-%d}" for time in choice.others)
    return Problem(
        file=file or "*",
        row=None,
        field=ONSET,
        found=f"{choice.subject_label!r} has several onsets of the condition;"
        f" {choice.chosen:%Y-%m-%d} counts and {others} does not",
        advice="name the right one as onset in the people table if it is another",
        cause="several onsets of one person",
    )


def deaths(records: pd.DataFrame) -> dict[str, pd.Timestamp]:
    """Return who has died, by subject label, and when; NaT where the day isn't known."""
    died = records[records[CODE] == DEATH]
    if died.empty:
        return {}
    return {str(label): time for label, time in died.groupby(SUBJECT_LABEL)[TIME].min().items()}


def without_other_ages(
    person: pd.DataFrame, onsets: pd.DataFrame, values: pd.DataFrame
) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out ages that the date of birth contradicts, whoever states them: none is known then.

    An age may be stated as of the onset, of the enrolment or of any day with a value.

    Parameters
    ----------
    person
        Records of facts and of enrolments, one a person and code.
    onsets, values
        Records of onsets, one a person, and values by day.
    """
    age, born = (person[person[CODE] == code] for code in (AGE, BIRTH_DATE))
    both = set(age[SUBJECT_LABEL]) & set(born[SUBJECT_LABEL])
    if not both:
        return person, []
    columns = [SUBJECT_LABEL, TIME]
    dates = pd.concat(
        [onsets[columns], person[person[CODE] == ENROLMENT][columns], values[columns]]
    ).dropna()
    days = dates.groupby(SUBJECT_LABEL)[TIME].agg(["min", "max"])
    start = days["min"].mask(
        days.index.isin(onsets[SUBJECT_LABEL]), onsets.groupby(SUBJECT_LABEL)[TIME].min()
    )
    birth = born.set_index(SUBJECT_LABEL)[TIME].reindex(days.index)
    known = birth.notna()
    low = birthdays(birth[known], start[known]) - AGE_SLACK
    high = birthdays(birth[known], days["max"][known]) + AGE_SLACK
    stated = age[NUMBER]
    outside = (stated < age[SUBJECT_LABEL].map(low)) | (stated > age[SUBJECT_LABEL].map(high))
    problems = each(
        age[outside],
        lambda row: (
            f"an age of {row[NUMBER]:g} contradicts the date of birth, by which it was"
            f" {low[row[SUBJECT_LABEL]] + AGE_SLACK:g}; neither counts"
        ),
        "correct the wrong one of the two in its source",
        "ages that contradict the date of birth",
    )
    wrong = person[SUBJECT_LABEL].isin(set(age[SUBJECT_LABEL][outside]))
    return person[~(wrong & person[CODE].isin([AGE, BIRTH_DATE]))], problems


def birthdays(born: pd.Series, until: pd.Series) -> pd.Series:
    """Return the age in years, a birthday on the day itself counted."""
    later = (until.dt.month < born.dt.month) | (
        (until.dt.month == born.dt.month) & (until.dt.day < born.dt.day)
    )
    years: pd.Series = (until.dt.year - born.dt.year - later).astype(float)
    return years


def is_fact(code: pd.Series) -> pd.Series:
    """Return which codes a person has once: facts, birth date and enrolment."""
    kinds = {c: entry.kind is Kind.PERSON for c, entry in vocabulary().items()}
    return looked_up(code, kinds | {BIRTH_DATE: True, ENROLMENT: True}, "bool", missing=False)


def _declared_first(records: pd.DataFrame) -> pd.DataFrame:
    declared = records[SOURCE] == DECLARED
    if not declared.any():
        return records
    key = [SUBJECT_LABEL, CODE]
    has_declared = declared.groupby([records[name] for name in key]).transform("any")
    return records[declared | ~has_declared]


def _name(code: object) -> str:
    entry = vocabulary().get(str(code))
    return str(code) if entry is None else entry.name
