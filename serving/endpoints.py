"""Every route of the service: what it takes, what it gives, and who may ask.

Handlers are plain functions of what was asked; `serving.door` reads, checks and answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from contracts.errors import ForecastRefused
from serving.access import Caller, grant
from serving.cds_hooks import (
    SERVICE,
    SERVICES,
    HookFeedback,
    HookRequest,
    cards,
    forecast_of_card,
    resources_in,
)
from serving.course import ALERT_DAYS, course
from serving.desk import Desk, forecast, noted
from serving.fhir import operation_outcome, patient_of, record_of, resources_of, risk_assessment
from serving.record import Question
from serving.request import (
    Course,
    ExplainRequest,
    FeedbackRequest,
    ForecastAnswer,
    ForecastRequest,
    ForecastsAnswer,
    ForecastsRequest,
    ModelCard,
    ObservationsRequest,
    Recorded,
    RequestInvalid,
    SubjectId,
    Told,
)
from serving.respond import refused, respond
from serving.standing import banner, limits, model_info

JSON = "application/json"
FHIR_JSON = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"
MIB = 1024 * 1024


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One route.

    Parameters
    ----------
    method, path
        `{name}` in the path takes one segment.
    scope
        That the caller's token must have; None for everybody.
    answer
        Answers it.
    takes, gives
        Type of the body; None for a GET, `bytes` for a form. Type of the answer.
    says
        What it is for, in a sentence.
    kinds, largest
        Content types and bytes of a body.
    """

    method: Literal["GET", "POST"]
    path: str
    scope: str | None
    answer: Callable[[Asked], Answered]
    takes: Any = None
    gives: Any = dict[str, Any]
    says: str
    kinds: frozenset[str] = frozenset({JSON})
    largest: int = MIB

    @property
    def is_fhir(self) -> bool:
        """Whether refusals are OperationOutcomes."""
        return FHIR_JSON in self.kinds


def _forecast(asked: Asked) -> Answered:
    return _told(forecast(asked.desk, asked.desk.champion.now, asked.body, kind="forecast",
                          caller=asked.caller))  # fmt: skip


def _explain(asked: Asked) -> Answered:
    return _told(forecast(asked.desk, asked.desk.champion.now, asked.body, kind="explain",
                          caller=asked.caller))  # fmt: skip


def _told(answer: ForecastAnswer) -> Answered:
    return Answered(answer, model=answer.model.model_version, forecast_id=answer.forecast_id)


def _forecasts(asked: Asked) -> Answered:
    now = asked.desk.champion.now
    answers = [
        forecast(asked.desk, now, each, kind="forecast", caller=asked.caller)
        for each in asked.body.requests
    ]
    return Answered(ForecastsAnswer(answers=answers), model=answers[0].model.model_version)


def _observe(asked: Asked) -> Answered:
    told: ObservationsRequest = asked.body
    now = datetime.now(UTC)
    total = asked.desk.store.add(told.subject, told.enrolment_day, told.observations, now)
    recorded = Recorded(subject=told.subject, sent=len(told.observations), on_record=total)
    return Answered(recorded)


def _course(asked: Asked) -> Answered:
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


def _feedback(asked: Asked) -> Answered:
    version = asked.desk.champion.now.served.standing.model_version
    asked.desk.store.add_feedback(
        asked.body, actor=asked.caller.name, version=version, now=datetime.now(UTC)
    )
    return Answered(Told(told="thank you: kept beside the version of the model"))


def _model(asked: Asked) -> Answered:
    now = asked.desk.champion.now
    card = ModelCard(
        model=model_info(now.served),
        withdrawn=now.withdrawn,
        banner=banner(now.served),
        limits=limits(now.served),
        card=now.served.card,
    )
    return Answered(card, model=card.model.model_version)


def _fhir_forecast(asked: Asked) -> Answered:
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


def _discover(_: Asked) -> Answered:
    return Answered(SERVICES)


def _hook(asked: Asked) -> Answered:
    hook: HookRequest = asked.body
    answer = _of_resources(asked, list(resources_in(hook)), kind="cds-hooks")
    return Answered(
        cards(answer, asked.desk.access.audience), model=answer.model.model_version,
        forecast_id=answer.forecast_id,
    )  # fmt: skip


def _hook_feedback(asked: Asked) -> Answered:
    told: HookFeedback = asked.body
    version = asked.desk.champion.now.served.standing.model_version
    for each in told.feedback:
        why = each.overrideReason
        code = "" if why is None or why.reason is None else str(why.reason.get("code", ""))[:100]
        feedback = FeedbackRequest(
            forecast_id=forecast_of_card(each.card),
            outcome=each.outcome,
            reason=" ".join(filter(None, (code, "" if why is None else why.userComment))),
        )
        asked.desk.store.add_feedback(
            feedback, actor=asked.caller.name, version=version, now=datetime.now(UTC)
        )
    return Answered(Told(told="thank you: kept beside the version of the model"))


def _token(asked: Asked) -> Answered:
    form = dict(parse_qsl(asked.body.decode("ascii", "replace"), max_num_fields=10))
    desk = asked.desk
    return Answered(
        grant(desk.access, form, path=asked.path, now=datetime.now(UTC),
              use_once=desk.store.use_once)
    )  # fmt: skip


def _ready(asked: Asked) -> Answered:
    problems = asked.desk.problems()
    return Answered({"ready": not problems, "problems": problems}, 503 if problems else 200)


FHIR_KINDS = frozenset({JSON, FHIR_JSON})

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST", path="/v1/forecast", scope="forecast", answer=_forecast,
        takes=ForecastRequest, gives=ForecastAnswer, largest=8 * MIB,
        says="Forecast one subject's recovery, with reasons, or say why not",
    ),
    Endpoint(
        method="POST", path="/v1/forecasts", scope="forecast", answer=_forecasts,
        takes=ForecastsRequest, gives=ForecastsAnswer, largest=8 * MIB,
        says="Forecast many subjects, each on its own, by one version of the model",
    ),
    Endpoint(
        method="POST", path="/v1/explain", scope="explain", answer=_explain,
        takes=ExplainRequest, gives=ForecastAnswer, largest=8 * MIB,
        says="Explain one output at one horizon, and on request which days mattered",
    ),
    Endpoint(
        method="POST", path="/v1/observations", scope="observe", answer=_observe,
        takes=ObservationsRequest, gives=Recorded,
        says="Append days or assessments to a subject's running record",
    ),
    Endpoint(
        method="GET", path="/v1/subjects/{subject}/course", scope="course", answer=_course,
        gives=Course, says="Hold what was observed against the forecast, with an alert",
    ),
    Endpoint(
        method="POST", path="/v1/feedback", scope="feedback", answer=_feedback,
        takes=FeedbackRequest, gives=Told, says="Say what a clinician made of a forecast",
    ),
    Endpoint(
        method="GET", path="/v1/model", scope="model", answer=_model, gives=ModelCard,
        says="Show the model's card, audit, digests and validity",
    ),
    Endpoint(
        method="POST", path="/v1/fhir/forecast", scope="forecast", answer=_fhir_forecast,
        takes=dict[str, Any], kinds=FHIR_KINDS, largest=8 * MIB,
        says="Take a FHIR R4 Bundle, give a RiskAssessment with Device and Provenance",
    ),
    Endpoint(
        method="GET", path="/cds-services", scope=None, answer=_discover,
        says="Discover the CDS Hooks services",
    ),
    Endpoint(
        method="POST", path=f"/cds-services/{SERVICE}", scope="cds", answer=_hook,
        takes=HookRequest, largest=8 * MIB, says="Answer the patient-view hook with cards",
    ),
    Endpoint(
        method="POST", path=f"/cds-services/{SERVICE}/feedback", scope="cds",
        answer=_hook_feedback, takes=HookFeedback, gives=Told,
        says="Say what became of the cards",
    ),
    Endpoint(
        method="POST", path="/auth/token", scope=None, answer=_token, takes=bytes,
        kinds=frozenset({FORM}), largest=64 * 1024,
        says="Give a token for a client's signed assertion (SMART Backend Services)",
    ),
    Endpoint(
        method="GET", path="/readyz", scope=None, answer=_ready,
        says="Whether all is well, and what is not",
    ),
)  # fmt: skip
