"""The route of FHIR R4."""

from __future__ import annotations

from datetime import UTC, date, datetime

from contracts.errors import ForecastRefused
from serving.formats.fhir import operation_outcome, risk_assessment
from serving.formats.fhir_record import bundle_of
from serving.http.calls import Call, Reply
from serving.http.decoding import from_query
from serving.http.handlers import reply_of
from serving.http.standards.documents import of_documents

DATE = "a date, as 2026-03-31"


def fhir_forecast(call: Call) -> Reply:
    """Give a RiskAssessment for a Bundle, or an OperationOutcome."""
    bundle = bundle_of(call.body)
    condition = call.query.get("condition", "")
    asked = of_documents(
        call, [bundle], route="fhir", condition=condition,
        as_of=from_query(call.query, "as_of", date, DATE),
    )  # fmt: skip
    answer = asked.answer
    if answer.status == "no forecast":
        refusal = ForecastRefused(answer.reason, answer.what_to_do)
        return reply_of(answer, operation_outcome(refusal, "business-rule"), 422)
    return reply_of(answer, risk_assessment(answer, asked.patient, bundle, datetime.now(UTC)))
