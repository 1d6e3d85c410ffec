"""What each route does with a request that passed the middleware: plain functions of a call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from contracts.errors import ForecastRefused, ServiceUnavailable
from serving.access.grants import grant, token_form
from serving.faults import Fault
from serving.forecast.audit_status import banner, limits, model_info
from serving.forecast.course import ALERT_DAYS, course
from serving.forecast.question import Question, input_digest
from serving.forecast.respond import refuse_withdrawn, refused, respond
from serving.formats.cds_hooks import (
    SERVICES,
    HookFeedback,
    HookRequest,
    OverrideReason,
    cards,
    documents_in,
    forecast_of_card,
)
from serving.formats.fhir import operation_outcome, risk_assessment
from serving.formats.fhir_limits import refuse_too_many
from serving.formats.fhir_record import bundle_of, record_of
from serving.http.calls import Call, Reply
from serving.http.decoding import RequestInvalid, from_query
from serving.http.runtime import NOTHING_READ, forecast, logged, question_of_fhir
from serving.schemas import (
    Acknowledgement,
    ConsentRequest,
    FeedbackRequest,
    ForecastAnswer,
    ForecastRequest,
    ForecastsAnswer,
    ModelCard,
    ObservationsRequest,
    Recorded,
    SubjectId,
)
from serving.state.champion import Snapshot
from serving.state.consent import ConsentWithdrawn
from serving.state.store import NotOnRecord

FEEDBACK_STORED = Acknowledgement(
    message="thank you: your feedback was stored with the version of the model"
)
CONSENT_STORED = Acknowledgement(message="the decision was put on record, and counts from now on")

WAITS = (0.1, 0.3, 0.6)
"""Seconds between attempts to find a forecast that feedback is about: it is put on record within a
tenth of a second of its answer. An unknown forecast and another tenant's take the same time."""

DATE = "a date, as 2026-03-31"

MAX_SUBJECT = 250
"""Characters of a patient's identifier that are kept."""


def answer_forecast(call: Call) -> Reply:
    """Forecast one subject."""
    return _one_forecast(call, "forecast")


def answer_explain(call: Call) -> Reply:
    """Explain one output at one horizon."""
    return _one_forecast(call, "explain")


def _one_forecast(call: Call, route: str) -> Reply:
    snapshot = call.runtime.champion.current
    answer = forecast(
        call.runtime, snapshot, call.body, route=route, caller=call.caller, records=call.records
    )
    return _reply(answer, answer)


def _reply(answer: ForecastAnswer, content: Any, status: int = 200) -> Reply:
    return Reply(content, status, answer.model.model_version, answer.forecast_id)


def answer_forecasts(call: Call) -> Reply:
    """Forecast many subjects with one version of the model."""
    snapshot = call.runtime.champion.current
    refuse_too_many([r.bundle for r in call.body.requests if r.bundle is not None])
    answers = [_one_of_many(call, snapshot, request) for request in call.body.requests]
    content = ForecastsAnswer(answers=answers)
    return Reply(content, model_version=answers[0].model.model_version)


def _one_of_many(call: Call, snapshot: Snapshot, request: ForecastRequest) -> ForecastAnswer:
    try:
        return forecast(
            call.runtime, snapshot, request, route="forecast", caller=call.caller,
            records=call.records,
        )  # fmt: skip
    except NotOnRecord as refusal:
        return refused(request.subject, snapshot.served, refusal)


def observe(call: Call) -> Reply:
    """Append to a running record."""
    request: ObservationsRequest = call.body
    total = call.runtime.store.add(
        call.caller.tenant, request.subject, request.enrolment_day, request.observations,
        actor=call.caller.name, now=datetime.now(UTC),
    )  # fmt: skip
    sent = len(request.observations)
    return Reply(Recorded(subject=request.subject, sent=sent, on_record=total))


def answer_course(call: Call) -> Reply:
    """Compare observed scores with the forecast."""
    try:
        subject = msgspec.convert(call.parameters["subject"], SubjectId)
    except msgspec.ValidationError:
        raise RequestInvalid("the subject id is not valid") from None
    alert_days = from_query(call.query, "alert_days", int, "a whole number")
    snapshot = call.runtime.champion.current
    refuse_withdrawn(snapshot.withdrawn)
    call.runtime.consents.require(call.caller.tenant, subject)
    enrolment_day, observations = call.runtime.store.record(call.caller.tenant, subject)
    question = Question(
        subject=subject, enrolment_day=enrolment_day, observations=observations, explain=False
    )
    content = course(
        question, snapshot.served, now=datetime.now(UTC),
        alert_days=ALERT_DAYS if alert_days is None else alert_days,
    )  # fmt: skip
    return Reply(content, model_version=content.forecast.model.model_version)


def feedback(call: Call) -> Reply:
    """Store a clinician's feedback on a forecast."""
    _store_feedback(call, [call.body])
    return Reply(FEEDBACK_STORED)


def _store_feedback(call: Call, requests: Sequence[FeedbackRequest]) -> None:
    runtime, caller = call.runtime, call.caller
    for seconds in (*WAITS, None):
        try:
            runtime.store.add_feedback(
                caller.tenant, requests, actor=caller.name, now=datetime.now(UTC)
            )
            return
        except NotOnRecord:
            if seconds is None and not runtime.forecast_log.settle(0):
                raise ServiceUnavailable(
                    "the forecast may not be on record yet", "send the feedback again later"
                ) from None
            if seconds is None:
                raise
            # The forecast may have been given a moment ago, perhaps by another worker.
            time.sleep(seconds)


def model_card(call: Call) -> Reply:
    """Show the model's card, audit and validity."""
    snapshot = call.runtime.champion.current
    card = ModelCard(
        model=model_info(snapshot.served),
        withdrawn="" if snapshot.withdrawn is None else str(snapshot.withdrawn),
        banner=banner(snapshot.served),
        limits=limits(snapshot.served),
        card=snapshot.served.card,
    )
    return Reply(card, model_version=card.model.model_version)


def consent(call: Call) -> Reply:
    """Put on record that a person has given or withdrawn consent."""
    request: ConsentRequest = call.body
    call.runtime.consents.set(
        call.caller.tenant, request.subject, request.consent,
        actor=call.caller.name, now=datetime.now(UTC),
    )  # fmt: skip
    return Reply(CONSENT_STORED)


def fhir_forecast(call: Call) -> Reply:
    """Give a RiskAssessment for a Bundle, or an OperationOutcome."""
    bundle = bundle_of(call.body)
    condition = call.query.get("condition", "")
    answer, patient = _of_documents(
        call, [bundle], route="fhir", condition=condition,
        as_of=from_query(call.query, "as_of", date, DATE),
    )  # fmt: skip
    if answer.status == "no forecast":
        refusal = ForecastRefused(answer.reason, answer.what_to_do)
        return _reply(answer, operation_outcome(refusal, "business-rule"), 422)
    return _reply(answer, risk_assessment(answer, patient, bundle, datetime.now(UTC)))


def _of_documents(
    call: Call,
    documents: list[Any],
    *,
    route: str,
    patient: str = "",
    condition: str = "",
    as_of: date | None = None,
) -> tuple[ForecastAnswer, str]:
    """Answer what FHIR documents ask, and return the patient's id beside."""
    snapshot, now = call.runtime.champion.current, datetime.now(UTC)
    digest, may_be_named = NOTHING_READ, True
    try:
        call.runtime.consents.require(call.caller.tenant, patient)
        task = snapshot.served.bundle.task
        record = record_of(documents, task, patient=patient, condition=condition)
        patient = record.patient
        call.runtime.consents.require(call.caller.tenant, patient)
        question = question_of_fhir("patient", record, as_of, now)
        digest = input_digest(question)
        answer = respond(question, snapshot.served, now=now, withdrawn=snapshot.withdrawn)
    except ForecastRefused as refusal:
        answer = refused("patient", snapshot.served, refusal)
        may_be_named = not isinstance(refusal, ConsentWithdrawn)
    subject = (patient[:MAX_SUBJECT] or None) if may_be_named else None
    answer = logged(
        call.runtime, answer, route=route, caller=call.caller, subject=subject, digest=digest,
        now=now,
    )  # fmt: skip
    return answer, patient


def discover(_: Call) -> Reply:
    """List the CDS Hooks services."""
    return Reply(SERVICES)


def hook_cards(call: Call) -> Reply:
    """Answer the patient-view hook."""
    hook: HookRequest = call.body
    documents = list(documents_in(hook))
    answer, _ = _of_documents(call, documents, route="cds-hooks", patient=hook.context.patientId)
    return _reply(answer, cards(answer, call.runtime.access.audience))


def hook_feedback(call: Call) -> Reply:
    """Store what became of the cards: of all of them, or of none."""
    hook: HookFeedback = call.body
    requests = [
        FeedbackRequest(
            forecast_id=forecast_of_card(card.card),
            outcome=card.outcome,
            reason=_override_reason(card.overrideReason),
        )
        for card in hook.feedback
    ]
    _store_feedback(call, requests)
    return Reply(FEEDBACK_STORED)


def _override_reason(override: OverrideReason | None) -> str:
    if override is None:
        return ""
    code = "" if override.reason is None else str(override.reason.get("code", ""))[:100]
    return " ".join(filter(None, (code, override.userComment)))


def token(call: Call) -> Reply:
    """Give a token for a client's signed assertion."""
    form = token_form(call.body)
    runtime = call.runtime
    issued = grant(
        runtime.access,
        form,
        path=call.path,
        now=datetime.now(UTC),
        use_once=runtime.store.use_once,
    )
    return Reply(issued)


def ready(call: Call) -> Reply:
    """Say whether all is well."""
    return readiness(call.runtime.problems())


def readiness(problems: Sequence[Fault]) -> Reply:
    """Say that all is well, or what is not and what to do about it."""
    content = {"ready": not problems, "problems": [str(problem) for problem in problems]}
    return Reply(content, 503 if problems else 200)
