"""What each route does with a request that the door let in: plain functions of what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from contracts.errors import ForecastRefused
from serving.forecast.audit_status import banner, limits, model_info
from serving.forecast.course import ALERT_DAYS, course
from serving.forecast.question import Question
from serving.forecast.respond import refused, respond
from serving.formats.cds_hooks import (
    SERVICES,
    HookFeedback,
    HookRequest,
    cards,
    forecast_of_card,
    resources_in,
)
from serving.formats.fhir import (
    operation_outcome,
    patient_of,
    record_of,
    resources_of,
    risk_assessment,
)
from serving.http.access import Caller, grant
from serving.http.decoding import RequestInvalid, form_fields
from serving.http.runtime import Desk, forecast, noted
from serving.schemas import (
    FeedbackRequest,
    ForecastAnswer,
    ForecastsAnswer,
    ModelCard,
    ObservationsRequest,
    Recorded,
    SubjectId,
    Told,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, checked and decoded."""

    desk: Desk
    caller: Caller
    body: Any
    parts: Mapping[str, str]
    query: Mapping[str, str]
    path: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and which model gave it for the log."""

    content: Any
    status: int = 200
    model: str = ""
    forecast_id: str = ""


def answer_forecast(asked: Asked) -> Answered:
    """Forecast one subject."""
    return _told(forecast(asked.desk, asked.desk.champion.now, asked.body, kind="forecast",
                          caller=asked.caller))  # fmt: skip


def answer_explain(asked: Asked) -> Answered:
    """Explain one output at one horizon."""
    return _told(forecast(asked.desk, asked.desk.champion.now, asked.body, kind="explain",
                          caller=asked.caller))  # fmt: skip


def _told(answer: ForecastAnswer) -> Answered:
    return Answered(answer, model=answer.model.model_version, forecast_id=answer.forecast_id)


def answer_forecasts(asked: Asked) -> Answered:
    """Forecast many subjects by one version of the model."""
    now = asked.desk.champion.now
    answers = [
        forecast(asked.desk, now, each, kind="forecast", caller=asked.caller)
        for each in asked.body.requests
    ]
    return Answered(ForecastsAnswer(answers=answers), model=answers[0].model.model_version)


def observe(asked: Asked) -> Answered:
    """Append to a running record."""
    told: ObservationsRequest = asked.body
    now = datetime.now(UTC)
    total = asked.desk.store.add(told.subject, told.enrolment_day, told.observations, now)
    recorded = Recorded(subject=told.subject, sent=len(told.observations), on_record=total)
    return Answered(recorded)


def answer_course(asked: Asked) -> Answered:
    """Hold what was observed against the forecast."""
    try:
        subject = msgspec.convert(asked.parts["subject"], SubjectId)
        days = msgspec.convert(asked.query.get("alert_days", ALERT_DAYS), int, strict=False)
    except msgspec.ValidationError:
        raise RequestInvalid("no such subject id, or alert_days is no whole number") from None
    now = asked.desk.champion.now
    if now.withdrawn:
        raise ForecastRefused(f"the model was withdrawn ({now.withdrawn}): ask who runs it")
    enrolment_day, observations = asked.desk.store.record(subject)
    question = Question(
        subject=subject, enrolment_day=enrolment_day, observations=observations, explain=False
    )
    made = course(question, now.served, now=datetime.now(UTC), alert_days=days)
    return Answered(made, model=made.forecast.model.model_version)


def feedback(asked: Asked) -> Answered:
    """Keep what a clinician made of a forecast."""
    version = asked.desk.champion.now.served.standing.model_version
    asked.desk.store.add_feedback(
        asked.body, actor=asked.caller.name, version=version, now=datetime.now(UTC)
    )
    return Answered(Told(told="thank you: kept beside the version of the model"))


def model_card(asked: Asked) -> Answered:
    """Show the model's card, audit and validity."""
    now = asked.desk.champion.now
    card = ModelCard(
        model=model_info(now.served),
        withdrawn=now.withdrawn,
        banner=banner(now.served),
        limits=limits(now.served),
        card=now.served.card,
    )
    return Answered(card, model=card.model.model_version)


def fhir_forecast(asked: Asked) -> Answered:
    """Give a RiskAssessment for a Bundle, or an OperationOutcome."""
    resources = resources_of(asked.body)
    patient = patient_of(resources)
    answer = _of_resources(asked, resources, kind="fhir")
    if answer.status == "no forecast":
        told = f"{answer.reason}: {answer.what_to_do}"
        return Answered(
            operation_outcome(told, "business-rule"), 422, answer.model.model_version,
            answer.forecast_id,
        )  # fmt: skip
    bundle = risk_assessment(answer, patient, resources, datetime.now(UTC))
    return Answered(bundle, 200, answer.model.model_version, answer.forecast_id)


def _of_resources(asked: Asked, resources: list[Any], *, kind: str) -> ForecastAnswer:
    now, moment = asked.desk.champion.now, datetime.now(UTC)
    try:
        enrolment_day, observations = record_of(resources, now.served.bundle.task)
        question = Question(
            subject="patient", enrolment_day=enrolment_day, observations=observations
        )
        answer = respond(question, now.served, now=moment, withdrawn=now.withdrawn)
    except ForecastRefused as refusal:
        answer = refused("patient", now.served, str(refusal))
    asked_for = msgspec.json.encode(resources)
    return noted(asked.desk, answer, asked_for, kind=kind, caller=asked.caller, now=moment)


def discover(_: Asked) -> Answered:
    """List the CDS Hooks services."""
    return Answered(SERVICES)


def hook_cards(asked: Asked) -> Answered:
    """Answer the patient-view hook."""
    hook: HookRequest = asked.body
    answer = _of_resources(asked, list(resources_in(hook)), kind="cds-hooks")
    return Answered(
        cards(answer, asked.desk.access.audience), model=answer.model.model_version,
        forecast_id=answer.forecast_id,
    )  # fmt: skip


def hook_feedback(asked: Asked) -> Answered:
    """Keep what became of the cards."""
    told: HookFeedback = asked.body
    version = asked.desk.champion.now.served.standing.model_version
    for each in told.feedback:
        why = each.overrideReason
        code = "" if why is None or why.reason is None else str(why.reason.get("code", ""))[:100]
        said = FeedbackRequest(
            forecast_id=forecast_of_card(each.card),
            outcome=each.outcome,
            reason=" ".join(filter(None, (code, "" if why is None else why.userComment))),
        )
        asked.desk.store.add_feedback(
            said, actor=asked.caller.name, version=version, now=datetime.now(UTC)
        )
    return Answered(Told(told="thank you: kept beside the version of the model"))


def token(asked: Asked) -> Answered:
    """Give a token for a client's signed assertion."""
    form = form_fields(asked.body)
    desk = asked.desk
    return Answered(
        grant(desk.access, form, path=asked.path, now=datetime.now(UTC),
              use_once=desk.store.use_once)
    )  # fmt: skip


def ready(asked: Asked) -> Answered:
    """Say whether all is well."""
    problems = asked.desk.problems()
    return Answered({"ready": not problems, "problems": problems}, 503 if problems else 200)
