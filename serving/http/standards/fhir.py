"""The route of FHIR R4."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from contracts.errors import ForecastRefused
from serving.formats.fhir.assessment import Basis, operation_outcome, risk_assessment
from serving.formats.fhir.evidence import Evidence, References
from serving.formats.fhir.record import bundle_of
from serving.http.calls import Call, Reply
from serving.http.decoding import from_query
from serving.http.handlers import reply_of
from serving.http.standards.documents import Asked, of_documents

DATE = "a date, as 2026-03-31"


def fhir_forecast(call: Call) -> Reply:
    """Give a RiskAssessment for a Bundle, or an OperationOutcome."""
    return forecast_of(
        call, bundle_of(call.body), condition=call.query.get("condition", ""),
        as_of=from_query(call.query, "as_of", date, DATE), task=call.query.get("task", ""),
    )  # fmt: skip


def forecast_of(
    call: Call,
    bundle: dict[str, Any],
    *,
    condition: str = "",
    as_of: date | None = None,
    task: str = "",
) -> Reply:
    """Answer a Bundle.

    Parameters
    ----------
    condition, as_of
        Id of the Condition whose onset counts, and the day that is asked about (None: today).
    task
        As of `of_documents`.
    """
    asked = of_documents(call, [bundle], route="fhir", task=task, condition=condition, as_of=as_of)
    answer = asked.answer
    if answer.status == "no forecast":
        refusal = ForecastRefused(answer.reason, answer.what_to_do)
        return reply_of(answer, operation_outcome(refusal, "business-rule"), 422)
    document = risk_assessment(answer, _basis(asked), datetime.now(UTC))
    return reply_of(answer, document)


def _basis(asked: Asked) -> Basis:
    """Return what an answer was made from: what the model reads, of the days that it reads."""
    served = asked.served
    layout, task = served.bundle.layout, served.bundle.task
    record, origin = asked.record, asked.answer.origin_day
    evidence, used = Evidence(), list[str]()
    if record is not None and origin is not None:
        codes = {*layout.channels_C, *(covariate.code for covariate in layout.person_S)}
        last = record.enrolment_day + origin
        evidence = record.evidence()
        used = evidence.used(codes, last - task.inputs.past_days + 1, last)
    references = References(evidence=evidence, patient=asked.patient)
    return Basis(references=references, used=used, card=served.card, target=task.target)
