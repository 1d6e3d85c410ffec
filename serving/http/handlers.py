"""What each route does with a request that passed the middleware: plain functions of a call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from contracts.errors import ServiceUnavailable
from serving.access.grants import grant, token_form
from serving.amendments import ConsentRequest, CorrectionRequest, Erased, ErasureRequest
from serving.faults import Fault
from serving.forecast.audit_status import banner, limits, model_info
from serving.forecast.course import ALERT_DAYS, course
from serving.forecast.question import Question
from serving.forecast.respond import refuse_withdrawn, refused
from serving.formats.fhir.limits import refuse_too_large_for, refuse_too_many
from serving.http.calls import Call, Reply
from serving.http.decoding import RequestInvalid, from_query
from serving.http.decoding.tasks import chosen, every_one
from serving.http.runtime import forecast
from serving.instruments import (
    EACH_BY_ITSELF,
    InstrumentsAnswer,
    InstrumentsRequest,
    NotInService,
)
from serving.schemas import (
    Acknowledgement,
    FeedbackRequest,
    ForecastAnswer,
    ForecastRequest,
    ForecastsAnswer,
    ModelCard,
    ObservationsRequest,
    Recorded,
    SubjectId,
    WhatIfRequest,
)
from serving.state.champion import Snapshot
from serving.state.corrections import correct
from serving.state.evidence.shadow import LONGEST_WAIT_SECONDS
from serving.state.privacy import erase
from serving.state.store import NotOnRecord

FEEDBACK_STORED = Acknowledgement(
    message="thank you: your feedback was stored with the version of the model"
)
CONSENT_STORED = Acknowledgement(message="the decision was put on record, and counts from now on")

SETTLE_SECONDS = 5.0
"""How long an erasure waits for forecasts about the person that were given a moment ago."""

WAITS = (0.1, 0.3, 0.6)
"""Seconds between attempts to find a forecast that feedback is about: it is put on record within a
tenth of a second of its answer. An unknown forecast and another tenant's take the same time."""


def answer_forecast(call: Call) -> Reply:
    """Forecast one subject."""
    return _one_forecast(call, "forecast")


def answer_explain(call: Call) -> Reply:
    """Explain one output at one horizon."""
    return _one_forecast(call, "explain")


def answer_what_if(call: Call) -> Reply:
    """Forecast one subject under other plans of therapy."""
    request: WhatIfRequest = call.body
    if not request.plans and request.search is None and request.last_weeks is None:
        raise RequestInvalid("nothing is asked: no plans, no search and no last_weeks")
    return _one_forecast(call, "whatif")


def _one_forecast(call: Call, route: str) -> Reply:
    snapshot = chosen(call.runtime.champions, call.body.task)
    answer = forecast(
        call.runtime, snapshot, call.body, route=route, caller=call.caller, records=call.records
    )
    return reply_of(answer, answer)


def reply_of(answer: ForecastAnswer, content: Any, status: int = 200) -> Reply:
    """Return the reply that carries an answer, in whatever form, for the log."""
    version = answer.model.model_version
    return Reply(content, status, version, answer.forecast_id, answered=(answer,))


def reply_of_many(answers: Sequence[ForecastAnswer], content: Any) -> Reply:
    """Return the reply that carries several answers, in whatever form, for the log."""
    versions = dict.fromkeys(answer.model.model_version for answer in answers)
    return Reply(content, model_version=", ".join(versions), answered=answers)


def answer_forecasts(call: Call) -> Reply:
    """Forecast many subjects, those of one task with one version of its model."""
    tasks = dict.fromkeys(request.task for request in call.body.requests)
    snapshots = {task: chosen(call.runtime.champions, task) for task in tasks}
    refuse_too_many([r.bundle for r in call.body.requests if r.bundle is not None])
    answers = [_one_of_many(call, snapshots[one.task], one) for one in call.body.requests]
    return reply_of_many(answers, ForecastsAnswer(answers=answers))


def _one_of_many(call: Call, snapshot: Snapshot, request: ForecastRequest) -> ForecastAnswer:
    try:
        return forecast(
            call.runtime, snapshot, request, route="forecast", caller=call.caller,
            records=call.records,
        )  # fmt: skip
    except NotOnRecord as refusal:
        return refused(request.subject, snapshot.served, refusal)


def answer_instruments(call: Call) -> Reply:
    """Forecast one subject by every model in service, each on its own and on record by itself."""
    request: InstrumentsRequest = call.body
    (snapshots, missing), now = every_one(call.runtime.champions), datetime.now(UTC)
    if request.bundle is not None:
        refuse_too_large_for(len(snapshots), request.bundle)
    answers = [
        forecast(
            call.runtime, snapshot, request, route="instruments", caller=call.caller,
            records=call.records, now=now, by_name=False,
        )
        for snapshot in snapshots
    ]  # fmt: skip
    content = InstrumentsAnswer(
        subject=request.subject, answers=answers,
        not_in_service=[
            NotInService(model=model, reason=why.reason, what_to_do=why.what_to_do)
            for model, why in missing.items()
        ],
        limits=[EACH_BY_ITSELF] if len(answers) > 1 else [],
    )  # fmt: skip
    return reply_of_many(answers, content)


def observe(call: Call) -> Reply:
    """Append to a running record."""
    request: ObservationsRequest = call.body
    total = call.runtime.store.add(
        call.caller.tenant, request.subject, request.enrolment_day, request.observations,
        today=request.today, actor=call.caller.name, now=datetime.now(UTC),
        tasks=[each.served.bundle.task for each in call.runtime.champions.current],
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
    snapshot = chosen(call.runtime.champions, call.query.get("task", ""))
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
    store_feedback(call, [call.body])
    return Reply(FEEDBACK_STORED)


def store_feedback(
    call: Call, requests: Sequence[FeedbackRequest], on_cards: Sequence[datetime] | None = None
) -> None:
    """Put feedback on record, waiting for forecasts that were given a moment ago.

    Parameters
    ----------
    on_cards
        As of `Store.add_feedback`.

    Raises
    ------
    NotOnRecord, ForecastRefused, ServiceUnavailable
        It is about no forecast of the caller's tenant, older than it, or cannot be stored now.
    """
    runtime, caller = call.runtime, call.caller
    for seconds in (*WAITS, None):
        try:
            runtime.store.add_feedback(
                caller.tenant, requests, actor=caller.name, now=datetime.now(UTC),
                on_cards=on_cards,
            )  # fmt: skip
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
    snapshot = chosen(call.runtime.champions, call.query.get("task", ""))
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


def correct_record(call: Call) -> Reply:
    """Correct a running record."""
    request: CorrectionRequest = call.body
    total = correct(
        call.runtime.store, call.caller.tenant, request, actor=call.caller.name,
        now=datetime.now(UTC),
    )  # fmt: skip
    sent = len(request.corrections)
    return Reply(Recorded(subject=request.subject, sent=sent, on_record=total))


def erase_person(call: Call) -> Reply:
    """Erase a person from the record."""
    request: ErasureRequest = call.body
    runtime, tenant = call.runtime, call.caller.tenant
    if runtime.shadow is not None:
        # Any worker's shadow may still have a question about the person.
        time.sleep(LONGEST_WAIT_SECONDS)
    settled = runtime.forecast_log.settle(SETTLE_SECONDS)
    if not settled or runtime.forecast_log.waiting_about(tenant, request.subject):
        raise ServiceUnavailable(
            "forecasts about this person are not on record yet: they would come after the erasure",
            "send the request again later; /readyz says what hinders it",
        )
    entries = erase(
        runtime.store, tenant, request.subject, reason=request.reason, actor=call.caller.name,
        now=datetime.now(UTC),
    )  # fmt: skip
    return Reply(Erased(entries=entries))


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
