"""From what all sources state to what a cohort or a request holds: each thing once.

The import of files and the service of requests both come through here, so that one FHIR document
gives the same record in both. The order matters: versions first, since an older version must not
count in anything; then repetitions; then what can't be true; then the day's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, TEXT, TIME
from contracts.errors import Problem
from contracts.vocabulary import Kind, vocabulary
from features.measurements.amounts import with_therapy
from features.measurements.between_imports import contradictions, latest_imports
from features.measurements.days import day_values
from features.measurements.identity import without_server
from features.measurements.people import (
    OnsetChoice,
    deaths,
    facts,
    is_fact,
    onsets,
    without_other_ages,
)
from features.measurements.plausible import (
    from_onset_on,
    is_outside,
    plausible_dates,
    plausible_values,
)
from features.measurements.records import (
    AMOUNT,
    DEATH,
    END,
    SUBJECT_LABEL,
    Amount,
    record_table,
)
from features.measurements.versions import newest_versions

RESULT_COLUMNS = [SUBJECT_LABEL, TIME, CODE, NUMBER, TEXT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What counts of all records, and what does not.

    Parameters
    ----------
    values
        Columns subject_label, time, code, numeric_value, text_value: at most one a person, code
        and day; at most one onset, enrolment and birth date a person.
    problems
        What was left out, with file and place.
    onset_choices
        People with several onsets, and which one counts.
    deaths
        Who has died, by subject label; NaT where the day isn't known.
    contradictions
        What two imports state differently of what a person has for life: they may be two people.
    """

    values: pd.DataFrame
    problems: tuple[Problem, ...]
    onset_choices: tuple[OnsetChoice, ...] = ()
    deaths: dict[str, pd.Timestamp] = field(default_factory=dict)
    contradictions: tuple[Problem, ...] = ()


def reconcile(tables: Sequence[pd.DataFrame], *, dates_shifted: bool = False) -> Reconciled:
    """Decide over all records at once, in any order of files and rows.

    Parameters
    ----------
    tables
        Tables with `RECORD_COLUMNS`, of any number of files.
    dates_shifted
        Whether the sources declare that all dates were shifted for anonymity.
    """
    filled = [table for table in tables if len(table)]
    if not filled:
        return Reconciled(
            values=record_table(pd.DataFrame(columns=RESULT_COLUMNS))[RESULT_COLUMNS], problems=()
        )
    everything = pd.concat(filled, ignore_index=True)
    # The order of files and entries must not decide anything, not even how a sum is rounded.
    everything = everything.sort_values(
        [TIME, END, NUMBER], kind="stable", ignore_index=True, na_position="first"
    )
    everything, problems = without_server(everything)
    current, more = newest_versions(everything)
    problems += more
    contradictory = contradictions(current)
    current, more = latest_imports(current)
    problems += more
    # Somebody whose date of death can't be right is dead all the same.
    died = deaths(current)
    current, more = plausible_dates(current, dates_shifted=dates_shifted)
    problems += more
    current, more = plausible_values(current)
    problems += more
    code = current[CODE]
    fact = is_fact(code)
    person, more = facts(current[fact])
    problems += more
    daily = code.map({c: e.kind in {Kind.ASSESSMENT, Kind.DAILY} for c, e in vocabulary().items()})
    measured = current[daily.eq(True) & current[TIME].notna()]
    by_day = day_values(measured)
    problems += by_day.problems
    by_day_values, more = _possible_days(by_day.values)
    problems += more
    by_day_values, more = with_therapy(by_day_values)
    problems += more
    enrolled = person[person[CODE] == ENROLMENT]
    onset, choices = onsets(current[code == ONSET], enrolled, _last_scores(by_day_values))
    by_day_values, more = from_onset_on(by_day_values, measured, onset)
    problems += more
    person, more = without_other_ages(person, onset, by_day_values)
    problems += more
    other = current[~fact & ~daily.eq(True) & ~code.isin([ONSET, DEATH])]
    other = other.drop_duplicates([SUBJECT_LABEL, CODE, TIME])
    values = pd.concat(
        [part[RESULT_COLUMNS] for part in (person, onset, other, by_day_values)], ignore_index=True
    )
    values = values.astype({TIME: "datetime64[us]", NUMBER: float})
    values = values.sort_values(
        [SUBJECT_LABEL, TIME, CODE], kind="stable", ignore_index=True, na_position="first"
    )
    return Reconciled(
        values=values,
        problems=tuple(problems),
        onset_choices=tuple(choices),
        deaths=died,
        contradictions=tuple(contradictory),
    )


def _possible_days(values: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out a day's computed value that can't be true, such as 26 hours of sleep."""
    outside = is_outside(values[CODE], values[NUMBER])
    if not outside.any():
        return values, []
    _, problems = plausible_values(
        record_table(values[outside]).assign(**{AMOUNT: str(Amount.ONCE)})
    )
    return values[~outside], problems


def _last_scores(values: pd.DataFrame) -> pd.Series:
    kinds = {c: e.kind is Kind.ASSESSMENT for c, e in vocabulary().items()}
    scores = values[values[CODE].map(kinds).eq(True)]
    return scores.groupby(SUBJECT_LABEL)[TIME].max().astype("datetime64[us]")
