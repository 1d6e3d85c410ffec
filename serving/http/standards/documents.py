"""Questions that FHIR documents ask, whichever standard brings them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from contracts.errors import ForecastRefused
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question, input_digest
from serving.forecast.respond import refused, respond
from serving.formats.fhir.record import FhirRecord, record_of
from serving.formats.fhir.right_patient import ConditionAbsent
from serving.http.calls import Call
from serving.http.decoding.questions import question_of_fhir
from serving.http.decoding.tasks import chosen
from serving.http.runtime import NOTHING_READ, logged
from serving.schemas import ForecastAnswer
from serving.state.consent import ConsentWithdrawn

MAX_SUBJECT = 250
"""Characters of a patient's identifier that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What FHIR documents asked.

    Parameters
    ----------
    answer, refusal
        What is answered, and why there is no record to answer from; None where there is one.
    served
        The model that answered.
    patient
        The patient's id.
    record
        What was read; None where it was refused before.
    """

    answer: ForecastAnswer
    served: ServedModel
    patient: str
    record: FhirRecord | None = None
    refusal: ForecastRefused | None = None


def of_documents(
    call: Call,
    documents: Sequence[Any],
    *,
    route: str,
    task: str = "",
    patient: str = "",
    condition: str = "",
    as_of: date | None = None,
    names: Sequence[str] = (),
    notes: Sequence[str] = (),
    now: datetime | None = None,
    by_name: bool = True,
    asking: Callable[[Question], Question] = lambda question: question,
) -> Asked:
    """Answer what FHIR documents ask.

    Parameters
    ----------
    task
        Which forecast is asked for; empty where one task is served.
    patient, condition, names
        As of `record_of`.
    notes
        What else must be known of the record.
    now
        Of the forecast, where several models are asked at once; by default this moment.
    by_name
        As of `logged`.
    asking
        Puts into the question what is asked beside the forecast.
    """
    snapshot, now = chosen(call.runtime.champions, task), now or datetime.now(UTC)
    digest, may_be_named, record, refused_by, question = NOTHING_READ, True, None, None, None

    def identified(of: str) -> None:
        # Who has died or has no score is on record by name too, so that an erasure finds the entry.
        nonlocal patient
        patient = of
        call.runtime.consents.require(call.caller.tenant, patient)

    try:
        if patient:
            identified(patient)
        record = record_of(
            documents, snapshot.served.bundle.task, patient=patient, condition=condition,
            names=names, identified=identified,
        )  # fmt: skip
        record = replace(record, notes=(*notes, *record.notes))
        question = asking(question_of_fhir("patient", record, as_of, now))
        digest = input_digest(question)
        answer = respond(question, snapshot.served, now=now, withdrawn=snapshot.withdrawn)
    except ForecastRefused as refusal:
        answer, refused_by = refused("patient", snapshot.served, refusal, notes), refusal
        # Who has not the condition is none of this service's business.
        may_be_named = not isinstance(refusal, ConsentWithdrawn | ConditionAbsent)
    subject = (patient[:MAX_SUBJECT] or None) if may_be_named else None
    answer = logged(
        call.runtime, answer, task=snapshot.served.bundle.task, route=route, caller=call.caller,
        subject=subject, digest=digest, now=now, question=question, refusal=refused_by,
        by_name=by_name,
    )  # fmt: skip
    return Asked(
        answer=answer, served=snapshot.served, patient=patient, record=record, refusal=refused_by
    )
