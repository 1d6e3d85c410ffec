"""Facts and dates of a person: one of each, and the onset of the condition that is meant."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, TEXT, TIME
from contracts.errors import Problem
from contracts.vocabulary import Kind, vocabulary
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
    kept, choices = [], []
    for label, rows in table.groupby(SUBJECT_LABEL, sort=True):
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
    return pd.concat(kept) if kept else table, choices


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
    return {str(label): time for label, time in died.groupby(SUBJECT_LABEL)[TIME].min().items()}


def birthdays(born: pd.Series, until: pd.Series) -> pd.Series:
    """Return the age in years, a birthday on the day itself counted."""
    later = (until.dt.month < born.dt.month) | (
        (until.dt.month == born.dt.month) & (until.dt.day < born.dt.day)
    )
    return (until.dt.year - born.dt.year - later).astype(float)


def is_fact(code: pd.Series) -> pd.Series:
    """Return which codes a person has once: facts, birth date and enrolment."""
    kinds = {c: entry.kind is Kind.PERSON for c, entry in vocabulary().items()}
    return code.map(kinds).eq(True) | code.isin([BIRTH_DATE, ENROLMENT])


def _declared_first(records: pd.DataFrame) -> pd.DataFrame:
    declared = records[SOURCE] == DECLARED
    key = [SUBJECT_LABEL, CODE]
    has_declared = declared.groupby([records[name] for name in key]).transform("any")
    return records[declared | ~has_declared]


def _name(code: object) -> str:
    entry = vocabulary().get(str(code))
    return str(code) if entry is None else entry.name
