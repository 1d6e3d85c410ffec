"""FHIR R4 in: Bundles and resources of one patient become the record that a forecast starts from.

They are read and decided about as an import reads them (`features.measurements.reconcile`), so that
the same document gives the same record in a cohort and here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from contracts.errors import ForecastRefused, Problem, SourceUnreadable, grouped
from contracts.observation import Observation
from contracts.onset import OnsetCodes
from contracts.task import Task
from contracts.vocabulary import Kind, vocabulary
from features.measurements.people import DECLARED, OnsetChoice, birthdays
from features.measurements.reconcile import Reconciled, reconcile
from features.measurements.records import BIRTH_DATE, RECORD_ID, SOURCE
from features.plausibility import plausible_events
from features.recording import SourceFile
from features.sources.records.fhir import FhirReading, read_contents
from features.sources.records.fhir_documents import Contents, contents_of
from features.sources.records.fhir_statements import OF_NO_USE
from serving.formats.fhir.evidence import Evidence, evidence_of
from serving.formats.fhir.limits import MAX_ENTRIES, refuse_too_large
from serving.formats.fhir.right_patient import (
    IF_SHIFTED,
    ConditionAbsent,
    no_score,
    only_patient,
    onset_of,
    refuse_dead,
    systems_in_words,
)

AGE = "REHABCAST//AGE"
MAX_NOTES = 20
"""Notes of an answer; more would hide the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirRecord:
    """A record, and what must be known to read a forecast from it.

    Parameters
    ----------
    patient
        The patient's id in the resources.
    enrolment_day
        Days from onset: the enrolment that the resources state, else the first score of the target.
    observations
        Since the onset.
    onset
        Its date.
    notes
        What was left out, or decided, in words.
    evidence
        Finds the resources that it is from.
    """

    patient: str
    onset: date
    enrolment_day: int
    observations: tuple[Observation, ...]
    notes: tuple[str, ...] = ()
    evidence: Callable[[], Evidence] = field(default=Evidence, compare=False)


def bundle_of(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return a Bundle as it is.

    Raises
    ------
    ForecastRefused
        It is not a Bundle.
    """
    if bundle.get("resourceType") != "Bundle" or not isinstance(bundle.get("entry", []), list):
        raise ForecastRefused(
            "this is not a FHIR Bundle with entries", "send a Bundle with entries"
        )
    return bundle


def record_of(
    documents: Iterable[Any],
    task: Task,
    *,
    patient: str = "",
    condition: str = "",
    names: Sequence[str] = (),
    identified: Callable[[str], None] = lambda _: None,
) -> FhirRecord:
    """Read Bundles and resources of one patient as a record.

    Parameters
    ----------
    patient
        Id of the patient who is asked about; empty where the request does not say.
    condition
        Id of the Condition that the patient recovers from; empty for the task's rule.
    names
        What each document is called in what was left out of it; by default its number.
    identified
        Called with the patient's id as soon as it is known, before anything else about the patient
        can refuse; what it raises comes first.

    Raises
    ------
    ForecastRefused
        They are too many, of several patients or of another one, the patient has died, the onset is
        not known, or there is no score since.
    """
    codes = task.onset or OnsetCodes(condition=task.condition)
    reading, contents = _read(documents, codes, names)
    label = only_patient(reading, patient)
    identified(label)
    records = reading.records
    if condition:
        named = (records[CODE] == ONSET) & ("/" + records[RECORD_ID]).str.endswith(
            f"/Condition/{condition.removeprefix('Condition/')}"
        )
        if not named.any():
            raise ForecastRefused(
                "the onset is not known: the Condition that the request names gives none",
                f"name a confirmed Condition of {codes.condition} with onsetDateTime",
            )
        records = records.assign(**{SOURCE: records[SOURCE].mask(named, DECLARED)})
    decided = reconcile([records], if_shifted=IF_SHIFTED)
    refuse_dead(decided)
    problems = [*reading.dropped, *decided.problems]
    onset = onset_of(decided, task, problems)
    events, more = _since_onset(decided, onset)
    problems += more
    observations = tuple(_observations(events, onset))
    return FhirRecord(
        patient=label,
        onset=onset.date(),
        enrolment_day=_enrolment_day(decided, onset, observations, task, problems),
        observations=observations,
        notes=_notes(problems, decided.onset_choices, task, codes),
        evidence=partial(evidence_of, records, events, onset, contents.entries),
    )


def _read(
    documents: Iterable[Any], codes: OnsetCodes, names: Sequence[str]
) -> tuple[FhirReading, Contents]:
    source = SourceFile(path=Path("request"), name="request", subject_label="", onset=codes)
    documents = [document for document in documents if isinstance(document, dict)]
    # Entries are distinguished by their place, also where several documents have an entry 0.
    places = ["*"] if len(documents) == 1 else [f"document {n}" for n in range(len(documents))]
    given = zip(names or places, documents, strict=True)
    try:
        contents = contents_of(given, source.name, most=MAX_ENTRIES)
    except SourceUnreadable as error:
        raise ForecastRefused(error.problem.found, error.problem.advice) from error
    refuse_too_large(contents)
    reading = read_contents(source, contents)
    if not reading.labels:
        raise ConditionAbsent(
            "the FHIR resources hold nothing that the model knows",
            f"send Observations with codes of {systems_in_words()}",
        )
    return reading, contents


def _since_onset(decided: Reconciled, onset: pd.Timestamp) -> tuple[pd.DataFrame, list[Problem]]:
    """Return what a cohort would hold of the record, and the age at onset."""
    values = decided.values.assign(**{SUBJECT: 1})
    born = values.loc[values[CODE] == BIRTH_DATE].set_index(SUBJECT)[TIME]
    events, excluded = plausible_events(values[values[CODE] != BIRTH_DATE])
    no_values = {code for code, entry in vocabulary().items() if entry.kind is Kind.EVENT}
    events = events[~events[CODE].isin(no_values)]
    if len(born) and not (events[CODE] == AGE).any():
        age = birthdays(born, pd.Series(onset, index=born.index))
        # One outside the model's range is kept: it refuses the forecast.
        row = {TIME: pd.NaT, CODE: AGE, NUMBER: age.iloc[0], TEXT: None}
        events = pd.concat([events, pd.DataFrame([row])], ignore_index=True)
    return events, [values_.as_problem() for values_ in excluded]


def _observations(events: pd.DataFrame, onset: pd.Timestamp) -> Iterator[Observation]:
    columns = events[[TIME, CODE, NUMBER, TEXT]]
    for time, code, number, text in columns.itertuples(index=False, name=None):
        yield Observation(
            code=code,
            day_since_onset=None if pd.isna(time) else (time.normalize() - onset).days,
            value=None if pd.isna(number) else float(number),
            label=None if pd.isna(text) else text,
        )


def _enrolment_day(
    decided: Reconciled,
    onset: pd.Timestamp,
    observations: Sequence[Observation],
    task: Task,
    problems: Sequence[Problem],
) -> int:
    code = task.target.code
    days = [o.day_since_onset for o in observations if o.code == code]
    scored = [day for day in days if day is not None]
    if not scored:
        raise no_score(task, problems)
    values = decided.values
    enrolled = values.loc[(values[CODE] == ENROLMENT) & (values[TIME] >= onset), TIME]
    return (enrolled.iloc[0].normalize() - onset).days if len(enrolled) else min(scored)


def _notes(
    problems: Iterable[Problem],
    choices: Sequence[OnsetChoice],
    task: Task,
    codes: OnsetCodes,
) -> tuple[str, ...]:
    """Return what matters to a reader: not what no model would use."""
    notes = [
        f"the record has several onsets of {codes.condition}: {choice.chosen:%Y-%m-%d} counts,"
        f" {', '.join(f'{time:%Y-%m-%d}' for time in choice.others)} does not"
        for choice in choices
    ]
    words, inputs = vocabulary(), task.inputs
    used = {*inputs.assessments, *inputs.daily, *inputs.person, ONSET, ENROLMENT, BIRTH_DATE}
    for problem in grouped(problems):
        if problem.field in OF_NO_USE or (problem.field in words and problem.field not in used):
            continue
        entry = words.get(problem.field)
        notes.append(f"{entry.name if entry else problem.field}: {problem.message}")
    rest = len(notes) - MAX_NOTES
    return (*notes[:MAX_NOTES], *([f"and {rest} more"] if rest > 0 else []))
