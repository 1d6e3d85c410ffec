"""One subject's record as a batch of one, without a data frame: every request needs it.

The result is that of `features.checks` and `features.sequences`, which remain the reference: what
is not plainly valid in a record is laid out as a cohort's events and checked by them, with their
messages, and a test compares the two. A data frame of a few hundred rows takes 150 ms, this less
than 1 ms.

Letters: T days of the past, C channels, S person covariates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import (
    CODE,
    COLUMNS,
    ENROLMENT,
    NOMINAL_ONSET,
    NUMBER,
    ONSET,
    SUBJECT,
    TEXT,
    TIME,
)
from contracts.errors import CohortInvalid, Problem
from contracts.groups import NO_WEARABLE, Bands, bands_of
from contracts.observation import Observation
from contracts.sequences import Layout, SequenceBatch
from contracts.task import Sensitive, Task
from contracts.vocabulary import NOT_RECORDED, Kind, vocabulary
from features.checks import HEADER_ROWS, check_events
from features.past.day import forecast_day, no_score
from features.past.groups import WORN_DAY_HOURS, reads_wearable, wearable_codes
from features.past.therapy import with_therapy
from features.sequences import (
    forecast_sequence,
    learnt_labels,
)

MOST_CHECKED = 6
"""Observations that are not plainly valid, of which those that are wrong are named: more would hide
the first ones, and a body may hold a hundred thousand."""

FACTS_BEFORE = 2
"""Rows of a record's events before its observations: onset and enrolment."""


def record_batch(
    enrolment_day: int,
    observations: Sequence[Observation],
    task: Task,
    layout: Layout,
    as_of_day: int | None = None,
) -> SequenceBatch:
    """Build one pair, on the day that is asked about.

    Parameters
    ----------
    as_of_day
        Days since onset; None for the newest day with a measurement.

    Raises
    ------
    CohortInvalid
        An observation breaks the cohort contract: unknown code, impossible value, two
        values on one day.
    ForecastRefused
        As `features.sequences.forecast_sequence`.
    """
    as_of = None if as_of_day is None else as_of_day - enrolment_day
    values = _values(observations)
    doubtful = _doubtful(observations, values)
    if not doubtful:
        return _batch(enrolment_day, _values(with_therapy(observations)), task, layout, as_of)
    _refuse(enrolment_day, observations, sorted(doubtful[:MOST_CHECKED]))
    record_events(enrolment_day, observations)
    events = record_events(enrolment_day, with_therapy(observations))
    return forecast_sequence(events, task, layout, as_of=as_of)


def check_observations(observations: Sequence[Observation]) -> None:
    """Make sure that observations may be put on record, whatever a model reads of them.

    Raises
    ------
    CohortInvalid
        One breaks the cohort contract: unknown code, impossible value, two values on one day.
    """
    doubtful = _doubtful(observations, _values(observations))
    if doubtful:
        _refuse(0, observations, sorted(doubtful[:MOST_CHECKED]))
        record_events(0, observations)


def record_events(enrolment_day: int, observations: Sequence[Observation]) -> pd.DataFrame:
    """Lay a record out as a cohort's events, on the nominal clock.

    Raises
    ------
    CohortInvalid
        An observation breaks the cohort contract.
    """
    events = _events(enrolment_day, observations)
    if problems := check_events(events, file="request", dates_shifted=True, since=NOMINAL_ONSET):
        raise CohortInvalid(problems)
    return events


def _refuse(
    enrolment_day: int, observations: Sequence[Observation], doubtful: Sequence[int]
) -> None:
    """Check some observations of a record, with the rows that they have in the whole of it."""
    events = _events(enrolment_day, [observations[n] for n in doubtful])
    rows = pd.Series([0, 1, *(n + FACTS_BEFORE for n in doubtful)]) + HEADER_ROWS
    if problems := check_events(
        events, file="request", rows=rows, dates_shifted=True, since=NOMINAL_ONSET
    ):
        raise CohortInvalid(problems)


def place_of(problem: Problem) -> int | None:
    """Return which observation of a record a problem is about, from 0; None where it is of none."""
    place = -1 if problem.row is None else problem.row - HEADER_ROWS - FACTS_BEFORE
    return place if place >= 0 else None


def _events(enrolment_day: int, observations: Sequence[Observation]) -> pd.DataFrame:
    days = [0, enrolment_day, *(observation.day_since_onset for observation in observations)]
    numbers = [None, None, *(observation.value for observation in observations)]
    labels = (observation.label for observation in observations)
    texts = [np.nan, np.nan, *(np.nan if label is None else label for label in labels)]
    time_N = NOMINAL_ONSET.to_datetime64() + np.array(days, dtype="timedelta64[D]")
    return pd.DataFrame(
        {
            SUBJECT: np.ones(len(days), dtype=np.int64),
            TIME: time_N.astype("datetime64[us]"),
            CODE: [ONSET, ENROLMENT, *(observation.code for observation in observations)],
            NUMBER: np.array(numbers, dtype=np.float64),
            TEXT: np.array(texts, dtype=object),
        },
        columns=list(COLUMNS),
    )


Values = dict[tuple[str, int | None], Observation]
"""The observations by code and day since onset; None is the day of a fact of the person."""


def _values(observations: Sequence[Observation]) -> Values:
    return {
        (observation.code, observation.day_since_onset): observation for observation in observations
    }


def _doubtful(observations: Sequence[Observation], values: Values) -> list[int]:
    """Return the places of what is not plainly valid: by itself, then as second of one kind."""
    doubtful = [n for n, item in enumerate(observations) if not _is_valid(item)]
    if len(values) < len(observations):
        places = defaultdict[tuple[str, int | None], list[int]](list)
        for n, item in enumerate(observations):
            places[item.code, item.day_since_onset].append(n)
        doubtful += [n for same in places.values() if len(same) > 1 for n in same]
    return list(dict.fromkeys(doubtful))


def _is_valid(observation: Observation) -> bool:
    entry = vocabulary().get(observation.code)
    if entry is None or observation.code in {ONSET, ENROLMENT}:
        return False
    if (entry.kind is Kind.PERSON) != (observation.day_since_onset is None):
        return False
    value, label = observation.value, observation.label
    if entry.is_numeric:
        if entry.low is None or entry.high is None or value is None:
            return False
        return entry.low <= value <= entry.high
    if entry.kind is Kind.EVENT:
        return True
    return label in entry.labels if entry.labels else bool(label)


def _batch(
    enrolment_day: int, values: Values, task: Task, layout: Layout, as_of: int | None
) -> SequenceBatch:
    measured = {*task.inputs.assessments, *task.inputs.daily}
    days = [(c, d - enrolment_day) for c, d in values if c in measured and d is not None]
    scored = [day for code, day in days if code == task.target.code]
    origin = forecast_day(
        task, np.array([day for _, day in days], dtype=int), np.array(scored, dtype=int), as_of
    )
    start = enrolment_day + origin - task.inputs.past_days + 1
    values_TC, observed_TC = _past(values, start, task.inputs.past_days, layout)
    last_score = _last_score(values_TC, observed_TC, task, layout)
    if last_score is None:
        raise no_score(task, origin)
    person_S, known_S = _person(values, layout)
    days_T = np.arange(start, start + task.inputs.past_days)
    horizons = len(task.horizons)
    return SequenceBatch(
        layout=layout,
        values_BTC=values_TC[None],
        observed_BTC=observed_TC[None],
        days_since_onset_BT=days_T[None].astype(np.float32),
        person_BS=person_S[None],
        person_known_BS=known_S[None],
        subject_B=np.array([1]),
        origin_day_B=np.array([origin]),
        last_score_B=np.array([last_score], dtype=np.float32),
        truth_BH=np.full((1, horizons), np.nan, dtype=np.float32),
        groups_B=pd.DataFrame(
            {
                attribute.name: [_group(values, attribute, start, task, layout)]
                for attribute in task.sensitive
            }
        ),
    )


def _past(
    values: Values, start: int, days: int, layout: Layout
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    column = {code: c for c, code in enumerate(layout.channels_C)}
    values_TC = np.zeros((days, len(column)), dtype=np.float32)
    observed_TC = np.zeros(values_TC.shape, dtype=np.bool_)
    for (code, day), observation in values.items():
        if code in column and day is not None and start <= day < start + days:
            values_TC[day - start, column[code]] = observation.value
            observed_TC[day - start, column[code]] = True
    return values_TC, observed_TC


def _last_score(
    values_TC: NDArray[np.float32], observed_TC: NDArray[np.bool_], task: Task, layout: Layout
) -> float | None:
    """Return the last score of the past; where there is none, the one that the task assumes."""
    target = layout.channels_C.index(task.target.code)
    scored_T = np.flatnonzero(observed_TC[:, target])
    return float(values_TC[scored_T[-1], target]) if len(scored_T) else task.target.assumed


def _person(values: Values, layout: Layout) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    person_S = np.zeros(len(layout.person_S), dtype=np.float32)
    known_S = np.zeros(len(layout.person_S), dtype=np.bool_)
    labels = learnt_labels(layout)
    for s, covariate in enumerate(layout.person_S):
        fact, label = values.get((covariate.code, None)), covariate.label
        if fact is not None and (label is None or fact.label in labels[covariate.code]):
            known_S[s] = True
            person_S[s] = fact.value if label is None else fact.label == label
    return person_S, known_S


def _group(values: Values, attribute: Sensitive, start: int, task: Task, layout: Layout) -> str:
    bands = bands_of(attribute)
    fact = values.get((attribute.code, None))
    if bands is None:
        return NOT_RECORDED if fact is None or fact.label is None else fact.label
    if vocabulary()[attribute.code].kind is Kind.DAILY:
        return _wear_group(values, attribute, bands, start, task, layout)
    number = np.nan if fact is None or fact.value is None else fact.value
    return str(bands.label(np.array([number]))[0])


def _wear_group(
    values: Values, attribute: Sensitive, bands: Bands, start: int, task: Task, layout: Layout
) -> str:
    """Band the share of worn days since the first whose wear was judged."""
    if not reads_wearable(layout):
        return NO_WEARABLE
    end = start + task.inputs.past_days
    window = {(c, d): v.value for (c, d), v in values.items() if d is not None and start <= d < end}
    judged = {day: hours for (code, day), hours in window.items() if code == attribute.code}
    if not judged and not {code for code, _ in window} & set(wearable_codes(task)):
        return NO_WEARABLE
    worn = sum((hours or 0) >= WORN_DAY_HOURS for hours in judged.values())
    share = worn / (end - min(judged)) if judged else np.nan
    return str(bands.label(np.array([share]))[0])
