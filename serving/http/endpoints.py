"""Every route of the service: what it takes, what it returns, and the scope it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from serving.amendments import ConsentRequest, CorrectionRequest, Erased, ErasureRequest
from serving.course import Course
from serving.formats.cds.hooks import SERVICE, HookFeedback, HookRequest
from serving.http import handlers
from serving.http.alerts import handlers as alerts
from serving.http.calls import Call, Reply
from serving.http.pushed import handlers as pushed
from serving.http.standards import about, fhir, hooks, operation, smart
from serving.instruments import InstrumentsAnswer, InstrumentsRequest
from serving.monitoring.answers import AlertDecisionRequest, AlertsAnswer, SubjectAlerts
from serving.pushed import PushedAnswer
from serving.schemas import (
    Acknowledgement,
    ExplainRequest,
    FeedbackRequest,
    ForecastAnswer,
    ForecastRequest,
    ForecastsAnswer,
    ForecastsRequest,
    ModelCard,
    ObservationsRequest,
    Recorded,
    WhatIfRequest,
)

JSON = "application/json"
FHIR_JSON = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One route.

    Parameters
    ----------
    method, path
        `{name}` in the path takes one segment.
    scope
        Scope that the caller's token must have; None where no token is needed.
    handler
        Answers a call; its name is the operation's id in the OpenAPI document.
    request_type, response_type
        Type of the body, None for a GET and `bytes` for a form; type of the answer, `bytes` for a
        page.
    summary
        What it is for, in a sentence.
    content_types, max_bytes
        Content types that are taken, and the largest size of a body.
    needs_store
        Whether it can't be answered without the store.
    query
        Names of the parameters that it reads of the query; any other is refused.
    """

    method: Literal["GET", "POST"]
    path: str
    scope: str | None
    handler: Callable[[Call], Reply]
    request_type: Any = None
    response_type: Any = dict[str, Any]
    summary: str
    content_types: frozenset[str] = frozenset({JSON})
    max_bytes: int = MIB
    needs_store: bool = False
    query: tuple[str, ...] = ()

    @property
    def is_fhir(self) -> bool:
        """Whether answers are FHIR, and refusals OperationOutcomes."""
        return FHIR_JSON in self.content_types and self.response_type == dict[str, Any]


FHIR_TYPES = frozenset({JSON, FHIR_JSON})

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST", path="/v1/forecast", scope="forecast", handler=handlers.answer_forecast,
        request_type=ForecastRequest, response_type=ForecastAnswer, max_bytes=8 * MIB,
        summary="Forecast one subject's recovery, with reasons, or say why not",
    ),
    Endpoint(
        method="POST", path="/v1/forecasts", scope="forecast", handler=handlers.answer_forecasts,
        request_type=ForecastsRequest, response_type=ForecastsAnswer, max_bytes=8 * MIB,
        summary="Forecast many subjects, each on its own, with one version of the model",
    ),
    Endpoint(
        method="POST", path="/v1/instruments", scope="forecast",
        handler=handlers.answer_instruments, request_type=InstrumentsRequest,
        response_type=InstrumentsAnswer, max_bytes=8 * MIB,
        summary="Forecast one subject by every model in service, each for its own instrument",
    ),
    Endpoint(
        method="POST", path="/v1/explain", scope="explain", handler=handlers.answer_explain,
        request_type=ExplainRequest, response_type=ForecastAnswer, max_bytes=8 * MIB,
        summary="Explain one output at one horizon, and on request which days mattered",
    ),
    Endpoint(
        method="POST", path="/v1/whatif", scope="whatif", handler=handlers.answer_what_if,
        request_type=WhatIfRequest, response_type=ForecastAnswer, max_bytes=8 * MIB,
        summary="Forecast one subject under other plans of therapy, or say why not",
    ),
    Endpoint(
        method="POST", path="/v1/observations", scope="observe", handler=handlers.observe,
        request_type=ObservationsRequest, response_type=Recorded, needs_store=True,
        summary="Append days or assessments to a subject's running record",
    ),
    Endpoint(
        method="POST", path="/v1/subjects/{subject}/points", scope="push",
        handler=pushed.push_points, request_type=dict[str, Any] | list[dict[str, Any]],
        response_type=PushedAnswer, content_types=FHIR_TYPES, needs_store=True,
        query=("onset_date", "enrolment_day", "time_zone"),
        summary="Put points of a wearable on record as they come, and say what became of each",
    ),
    Endpoint(
        method="GET", path="/v1/subjects/{subject}/course", scope="course",
        handler=handlers.answer_course, response_type=Course, needs_store=True,
        query=("alert_days", "task"),
        summary="Compare observed scores with the forecast",
    ),
    Endpoint(
        method="GET", path="/v1/alerts", scope="alerts", handler=alerts.answer_alerts,
        response_type=AlertsAnswer, needs_store=True,
        query=("limit", "cursor", "task"),
        summary="List the alerts of all patients, the most urgent first",
    ),
    Endpoint(
        method="POST", path="/v1/alerts/decisions", scope="alerts", handler=alerts.decide_alert,
        request_type=AlertDecisionRequest, response_type=Acknowledgement, needs_store=True,
        summary="Acknowledge an alert of a subject on record, mute it, or show it again",
    ),
    Endpoint(
        method="GET", path="/v1/subjects/{subject}/alerts", scope="alerts",
        handler=alerts.answer_subject_alerts, response_type=SubjectAlerts, needs_store=True,
        summary="List a subject's alerts, with what was decided about them",
    ),
    Endpoint(
        method="GET", path="/v1/fhir/subjects/{subject}/alerts", scope="alerts",
        handler=alerts.answer_flags, content_types=FHIR_TYPES, needs_store=True,
        summary="List a subject's alerts as FHIR R4 Flags and Communications",
    ),
    Endpoint(
        method="POST", path="/v1/feedback", scope="feedback", handler=handlers.feedback,
        request_type=FeedbackRequest, response_type=Acknowledgement, needs_store=True,
        summary="Send a clinician's feedback on a forecast that was given (forecast_id)",
    ),
    Endpoint(
        method="POST", path="/v1/consent", scope="consent", handler=handlers.consent,
        request_type=ConsentRequest, response_type=Acknowledgement, needs_store=True,
        summary="Put on record that a person has given or withdrawn consent",
    ),
    Endpoint(
        method="POST", path="/v1/corrections", scope="correct", handler=handlers.correct_record,
        request_type=CorrectionRequest, response_type=Recorded, needs_store=True,
        summary="Correct what is on record of a subject; what was there stays on the chain",
    ),
    Endpoint(
        method="POST", path="/v1/erasures", scope="erase", handler=handlers.erase_person,
        request_type=ErasureRequest, response_type=Erased, needs_store=True,
        summary="Erase a person from the record, which still verifies and says so",
    ),
    Endpoint(
        method="GET", path="/v1/model", scope="model", handler=handlers.model_card,
        response_type=ModelCard, query=("task",),
        summary="Show the model's card, audit, digests and validity",
    ),
    Endpoint(
        method="POST", path="/v1/fhir/forecast", scope="forecast", handler=fhir.fhir_forecast,
        request_type=dict[str, Any], content_types=FHIR_TYPES, max_bytes=8 * MIB,
        query=("condition", "as_of", "task"),
        summary="Take a FHIR R4 Bundle, return a RiskAssessment of a task, or of each one, with"
        " Device and Provenance",
    ),
    Endpoint(
        method="POST", path=operation.OPERATION, scope="forecast", handler=operation.evaluate,
        request_type=dict[str, Any], content_types=FHIR_TYPES, max_bytes=8 * MIB,
        query=("condition", "asOf", "task"),
        summary="Take FHIR R4 Parameters or a Bundle, return what /v1/fhir/forecast does",
    ),
    Endpoint(
        method="POST", path="/v1/fhir/whatif", scope="whatif", handler=fhir.fhir_what_if,
        request_type=dict[str, Any], content_types=FHIR_TYPES, max_bytes=8 * MIB,
        query=("condition", "as_of", "task"),
        summary="Take a FHIR R4 Bundle with CarePlans, return drafts with a RiskAssessment each",
    ),
    Endpoint(
        method="POST", path=operation.WHAT_IF, scope="whatif", handler=operation.what_if,
        request_type=dict[str, Any], content_types=FHIR_TYPES, max_bytes=8 * MIB,
        query=("condition", "asOf", "task"),
        summary="Take FHIR R4 Parameters or a Bundle, return what /v1/fhir/whatif does",
    ),
    Endpoint(
        method="GET", path=operation.WHAT_IF_DEFINITION, scope=None,
        handler=operation.what_if_definition, content_types=FHIR_TYPES,
        summary="Describe the operation $whatif",
    ),
    Endpoint(
        method="GET", path=operation.DEFINITION, scope=None, handler=operation.definition,
        content_types=FHIR_TYPES, summary="Describe the operation $evaluate",
    ),
    Endpoint(
        method="GET", path=operation.METADATA, scope=None, handler=operation.metadata,
        content_types=FHIR_TYPES, summary="Say what this service can do of FHIR",
    ),
    Endpoint(
        method="GET", path="/cds-services", scope=None, handler=hooks.discover,
        summary="List the CDS Hooks services",
    ),
    Endpoint(
        method="POST", path=f"/cds-services/{SERVICE}", scope="cds", handler=hooks.hook_cards,
        request_type=HookRequest, max_bytes=8 * MIB,
        summary="Answer the patient-view hook with cards",
    ),
    Endpoint(
        method="POST", path=f"/cds-services/{SERVICE}/feedback", scope="cds",
        handler=hooks.hook_feedback, request_type=HookFeedback,
        response_type=Acknowledgement, needs_store=True,
        summary="Send feedback on cards that were given (uuid)",
    ),
    Endpoint(
        method="POST", path=f"/cds-services/{SERVICE}-{{task}}", scope="cds",
        handler=hooks.hook_cards_of_task, request_type=HookRequest, max_bytes=8 * MIB,
        summary="Answer the patient-view hook for one of several tasks",
    ),
    Endpoint(
        method="POST", path=f"/cds-services/{SERVICE}-{{task}}/feedback", scope="cds",
        handler=hooks.hook_feedback_of_task, request_type=HookFeedback,
        response_type=Acknowledgement, needs_store=True,
        summary="Send feedback on cards of one of several tasks",
    ),
    Endpoint(
        method="POST", path="/auth/token", scope=None, handler=handlers.token, request_type=bytes,
        content_types=frozenset({FORM}), max_bytes=64 * 1024, needs_store=True,
        summary="Issue a token for a client's signed assertion (SMART Backend Services)",
    ),
    Endpoint(
        method="GET", path="/.well-known/smart-configuration", scope=None,
        handler=smart.smart_configuration,
        summary="Say where and how a client gets a token (SMART Backend Services)",
    ),
    Endpoint(
        method="GET", path="/about", scope=None, handler=about.about, response_type=bytes,
        query=("task",),
        summary="Show the model in service, its audit and its limits as a page",
    ),
    Endpoint(
        method="GET", path="/readyz", scope=None, handler=handlers.ready, needs_store=True,
        summary="Say whether all is well, and if not, why",
    ),
)  # fmt: skip
