"""Whether FHIR resources are of the right patient, at the right moment: decided here only.

CDS Hooks and FHIR ask alike. Nobody gets a forecast whose resources are another patient's, who has
died, or whose diagnosis of the task's condition is not there, not confirmed, or was an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from contracts.cohort import CODE, ONSET, TIME
from contracts.errors import ForecastRefused, Problem
from contracts.task import Task
from contracts.vocabulary import vocabulary
from contracts.vocabulary.code import REHABCAST_SYSTEM, SYSTEM_OF
from features.measurements.identity import on_one_server
from features.measurements.plausible import IMPOSSIBLE_DATES
from features.measurements.reconcile import Reconciled
from features.sources.records.fhir import FhirReading
from features.sources.records.fhir_conditions import NO_DIAGNOSIS, OTHER_CONDITION, SNOMED
from serving.forecast.question import NeverMeasured

NAMES = {SNOMED: "SNOMED CT"}
"""Systems of codes as people call them."""

MAX_REASONS = 5
"""Reasons that a refusal names; more would hide the first ones."""

UNKNOWN_CODE = "Observation.code"

IF_SHIFTED = (
    "if all dates were shifted for anonymity, send days since onset to /v1/forecast instead"
)
"""Field of Observations whose code the vocabulary does not have."""

DOUBTS = frozenset({ONSET, "Condition"})
"""Fields of what may be the task's condition all the same: without its date, or not readable."""


class NotForThisPatient(ForecastRefused):
    """The patient is not one whom the model is for: a record system that asks shows nothing."""


class PatientDied(NotForThisPatient):
    """The patient has died."""


class ConditionAbsent(NotForThisPatient):
    """The patient has not, or not for sure, the condition whose recovery the model forecasts."""


def only_patient(reading: FhirReading, patient: str) -> str:
    """Return the one patient whom all resources are about, also those that are of no use.

    Raises
    ------
    ForecastRefused
        They are about several patients, or about another one.
    """
    short = on_one_server(reading.labels)
    labels = {short.get(label, label) for label in reading.labels}
    if len(labels) > 1:
        raise ForecastRefused(
            "the resources belong to several patients", "send the resources of one patient"
        )
    (label,) = labels
    if patient and label != patient:
        raise ForecastRefused(
            "the resources belong to another patient than the one who is asked about",
            "send the resources of this patient",
        )
    return label


def refuse_dead(decided: Reconciled) -> None:
    """Refuse somebody who has died.

    Raises
    ------
    PatientDied
        The Patient resource says so.
    """
    for time in decided.deaths.values():
        day = "" if pd.isna(time) else f" on {time:%Y-%m-%d}"
        raise PatientDied(
            f"the patient died{day}",
            "correct the Patient resource if this is wrong; otherwise nothing needs to be done",
        )


def onset_of(decided: Reconciled, task: Task, problems: Sequence[Problem]) -> pd.Timestamp:
    """Return the day on which the task's condition began.

    Raises
    ------
    ConditionAbsent
        There is no Condition of it, or none that is confirmed.
    ForecastRefused
        There may be one, but no date; or not all Conditions were sent.
    """
    values = decided.values
    onset = values.loc[values[CODE] == ONSET, TIME]
    if len(onset) == 1:
        return pd.Timestamp(onset.iloc[0]).normalize()
    if task.onset is None:
        raise ForecastRefused(
            "the onset is not known: the model's task declares no diagnosis whose onset counts",
            "send enrolment_day and observations instead, or train with a task that has [onset]",
        )
    condition = task.onset.condition
    doubts = [p for p in problems if p.field in DOUBTS or _lacks_conditions(p)]
    fields = {*DOUBTS, NO_DIAGNOSIS, OTHER_CONDITION, "subject"}
    named = [*doubts, *(p for p in problems if p.field in fields and p not in doubts)]
    reasons = found(named) or f"there is no Condition of {condition}"
    refusal = ForecastRefused if doubts else ConditionAbsent
    # A date that cannot be is sent already: what to do is to correct it.
    dates = dict.fromkeys(p.advice for p in named if p.cause in IMPOSSIBLE_DATES.values())
    raise refusal(
        f"the onset is not known: {reasons}",
        "; ".join(dates)
        or f"send the confirmed Condition of {condition} with onsetDateTime, coded in SNOMED CT or"
        " ICD-10",
    )


def no_score(task: Task, problems: Sequence[Problem]) -> ForecastRefused:
    """Return why there is no score to start from: that there is none, or why none was used."""
    name = vocabulary()[task.target.code].name
    about = [p for p in problems if p.field in {task.target.code, "subject", "Observation"}]
    other = sum(p.count for p in problems if p.field == UNKNOWN_CODE)
    reason = f"there is no score of {name} since the onset"
    if about:
        advice = dict.fromkeys(p.advice for p in about if p.advice)
        return ForecastRefused(
            f"{reason}: {found(about)}",
            "; ".join(list(advice)[:MAX_REASONS])
            or "correct the record if the patient was assessed; else assess the patient first",
        )
    if other:
        return NeverMeasured(
            f"{reason}; {other} Observation(s) have codes that the model does not know",
            f"if the score is among them, code it as {_coded(task)}; else assess the patient first",
        )
    return NeverMeasured(reason, "assess the patient first")


def found(problems: Iterable[Problem]) -> str:
    """Return what was found, each once; no more than a reader takes in."""
    return "; ".join(list(dict.fromkeys(p.found for p in problems))[:MAX_REASONS])


def _lacks_conditions(problem: Problem) -> bool:
    """Return whether a Bundle that is only one page may have had the task's condition on another.

    A hook's Bundles are named by their keys, so that one of Observations is told apart.
    """
    elsewhere = [place.startswith(("observations", "procedures")) for place in problem.places]
    return problem.field == "Bundle" and not (elsewhere and all(elsewhere))


def _coded(task: Task) -> str:
    return vocabulary()[task.target.code].tokens[0]


def systems_in_words() -> str:
    """Return the systems of codes that Observations may have."""
    own = {token.partition("|")[0] for entry in vocabulary().values() for token in entry.tokens}
    others = sorted(own - {*SYSTEM_OF.values()})
    return (
        ", ".join(["LOINC", *(NAMES.get(system, system) for system in others)])
        + f" or {REHABCAST_SYSTEM}"
    )
