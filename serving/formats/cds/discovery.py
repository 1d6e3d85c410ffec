"""CDS Hooks 2.0, discovery: which hook is answered, and what of the record the model reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from contracts.task import Task
from contracts.therapy import KINDS, THERAPY
from contracts.vocabulary import vocabulary
from features.sources.therapy_sessions import KINDS_BY_TOKEN
from serving.formats.cds.hooks import SERVICE
from serving.formats.fhir.icd10 import searched
from serving.formats.fhir.right_patient import systems_in_words

MOST_CONDITIONS, MOST_OBSERVATIONS, MOST_PROCEDURES = 100, 1000, 200
"""How many resources are asked for: the newest. Where there are more, the answer says so."""

SESSIONS = frozenset({THERAPY, *KINDS})
"""What is asked for as Procedures: sessions, whose periods say how long they took."""

TITLE = "Forecast of functional recovery"

PANELS = {"REHABCAST//BARTHEL": ("http://loinc.org|96762-0",)}
"""Panels that hold the total of an instrument among their components."""


def services_of(tasks: Sequence[Task]) -> dict[str, Any]:
    """Return what `/cds-services` answers: one service for each task of a model in service."""
    if len(tasks) == 1:
        return {"services": [_service(tasks[0], SERVICE, TITLE)]}
    return {
        "services": [
            _service(
                task, f"{SERVICE}-{task.name}", f"{TITLE}: {vocabulary()[task.target.code].name}"
            )
            for task in tasks
        ]
    }


def _service(task: Task, service_id: str, title: str) -> dict[str, Any]:
    return {
        "hook": "patient-view",
        "id": service_id,
        "title": title,
        "description": (
            f"Where the score of a patient with {task.condition} will probably be in the next weeks"
            " and months, with a range and reasons. Decision support, not a diagnosis."
        ),
        "prefetch": prefetch_of(task),
        "usageRequirements": (
            f"Observations need codes of {systems_in_words()}, Conditions codes of"
            " SNOMED CT or ICD-10. Nothing is fetched: fhirServer and fhirAuthorization are unused,"
            " so send each key of the prefetch, null where there are no such data."
        ),
    }


def prefetch_of(task: Task) -> dict[str, str]:
    """Return the templates of what the model reads, and no more."""
    inputs = task.inputs
    measured = dict.fromkeys([task.target.code, *inputs.assessments, *inputs.daily, *inputs.person])
    templates = {
        "patient": "Patient/{{context.patientId}}",
        "conditions": _search("Condition", _diagnoses(task), "recorded-date", MOST_CONDITIONS),
        "observations": _search(
            "Observation",
            (token for code in measured if code not in SESSIONS for token in _tokens(code)),
            "date", MOST_OBSERVATIONS,
        ),
    }  # fmt: skip
    if read := SESSIONS.intersection(inputs.daily):
        # A session of any kind is therapy.
        codes = (token for token, kind in KINDS_BY_TOKEN.items() if THERAPY in read or kind in read)
        templates["procedures"] = _search("Procedure", codes, "date", MOST_PROCEDURES)
    return templates


def _search(kind: str, codes: Iterable[str], newest_by: str, most: int) -> str:
    listed = ",".join(codes)
    chosen = f"&code={listed}" if listed else ""
    return f"{kind}?patient={{{{context.patientId}}}}{chosen}&_sort=-{newest_by}&_count={most}"


def _diagnoses(task: Task) -> Iterable[str]:
    """Return the codes of the task's condition, without systems: ICD-10 has one in each country."""
    if task.onset is None:
        return ()
    icd10 = (code for prefix in task.onset.icd10 for code in searched(prefix))
    return (*icd10, *task.onset.snomed)


def _tokens(code: str) -> Iterable[str]:
    yield from vocabulary()[code].tokens
    yield from PANELS.get(code, ())
