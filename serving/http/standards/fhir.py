"""The routes of FHIR R4: the forecast, and what other plans of therapy would change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec import UnsetType

from contracts.errors import ForecastRefused
from serving.faults import Fault
from serving.forecast.question import Question
from serving.formats.fhir.assessment import Basis, operation_outcome, risk_assessment
from serving.formats.fhir.care_plans import CarePlanAsked, care_plans_of
from serving.formats.fhir.every_instrument import every_instrument
from serving.formats.fhir.evidence import Evidence, References
from serving.formats.fhir.limits import refuse_too_large_for
from serving.formats.fhir.proposals import proposals
from serving.formats.fhir.record import bundle_of
from serving.http.calls import Call, Reply
from serving.http.decoding import from_query
from serving.http.decoding.tasks import every_one
from serving.http.handlers import reply_of, reply_of_many
from serving.http.standards.documents import Asked, of_documents
from serving.schemas import ForecastAnswer
from serving.whatif import WhatIf

DATE = "a day of the calendar, as 2026-03-31"

Answering = Callable[..., Reply]
"""`forecast_of` or `what_if_of`."""


def fhir_forecast(call: Call) -> Reply:
    """Give a RiskAssessment for a Bundle, or an OperationOutcome."""
    return of_a_bundle(call, forecast_of, "as_of")


def fhir_what_if(call: Call) -> Reply:
    """Give a draft CarePlan and a RiskAssessment for each CarePlan of a Bundle."""
    return of_a_bundle(call, what_if_of, "as_of")


def of_a_bundle(call: Call, answering: Answering, day: str) -> Reply:
    """Answer a body that is a Bundle, with the other parameters in the address.

    Parameters
    ----------
    day
        What the address calls the day that is asked about.
    """
    return answering(
        call, bundle_of(call.body), condition=call.query.get("condition", ""),
        as_of=from_query(call.query, day, date, DATE), task=call.query.get("task", ""),
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
        As of `of_documents`; empty where several are served: of each.
    """
    if not task and len(call.runtime.champions.current) > 1:
        return _of_every_instrument(call, bundle, condition=condition, as_of=as_of)
    asked = of_documents(call, [bundle], route="fhir", task=task, condition=condition, as_of=as_of)
    answer = asked.answer
    if answer.status == "no forecast":
        return _nothing_said(answer, answer)
    document = risk_assessment(answer, _basis(asked), datetime.now(UTC))
    return reply_of(answer, document)


def _of_every_instrument(
    call: Call, bundle: dict[str, Any], *, condition: str, as_of: date | None
) -> Reply:
    """Answer a Bundle by every model in service, each on its own and on record by itself."""
    (snapshots, missing), now = every_one(call.runtime.champions), datetime.now(UTC)
    refuse_too_large_for(len(snapshots), bundle)
    asked = [
        of_documents(
            call, [bundle], route="fhir", task=each.served.bundle.task.name, condition=condition,
            as_of=as_of, now=now, by_name=False,
        )
        for each in snapshots
    ]  # fmt: skip
    said = [
        risk_assessment(each.answer, _basis(each), now)
        for each in asked
        if each.answer.status == "forecast"
    ]
    refused = {
        each.answer.model.task: Fault(each.answer.reason, each.answer.what_to_do)
        for each in asked
        if each.answer.status == "no forecast"
    }
    content = every_instrument(said, refused, missing, now)
    return reply_of_many([each.answer for each in asked], content)


def what_if_of(
    call: Call,
    bundle: dict[str, Any],
    *,
    condition: str = "",
    as_of: date | None = None,
    task: str = "",
) -> Reply:
    """Answer what the CarePlans of a Bundle would change; parameters as of `forecast_of`."""
    plans: tuple[CarePlanAsked, ...] = ()

    def asking(question: Question) -> Question:
        nonlocal plans
        plans = care_plans_of(bundle, _day_of(question))
        return replace(question, plans=[each.plan for each in plans])

    asked = of_documents(
        call, [bundle], route="fhir-whatif", task=task, condition=condition, as_of=as_of,
        asking=asking,
    )  # fmt: skip
    answer, found = asked.answer, asked.answer.what_if
    if answer.status == "no forecast" or isinstance(found, UnsetType):
        return _nothing_said(answer, answer)
    if found.status == "no answer":
        return _nothing_said(answer, found)
    document = proposals(answer, found, plans, _basis(asked), datetime.now(UTC))
    return reply_of(answer, document)


def _day_of(question: Question) -> date:
    """Return the date that is asked about, which FHIR always gives: an onset has a date."""
    if question.onset is None or question.as_of_day is None:
        raise ForecastRefused("the date of onset is not known", "send it in the Condition")
    return question.onset + timedelta(days=question.as_of_day)


def _nothing_said(answer: ForecastAnswer, why: ForecastAnswer | WhatIf) -> Reply:
    refusal = ForecastRefused(why.reason, why.what_to_do)
    return reply_of(answer, operation_outcome(refusal, "business-rule"), 422)


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
