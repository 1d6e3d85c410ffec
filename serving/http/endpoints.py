"""Every route of the service: what it takes, what it gives, and who may ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from serving.formats.cds_hooks import SERVICE, HookFeedback, HookRequest
from serving.http import handlers
from serving.http.handlers import Answered, Asked
from serving.schemas import (
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
    Told,
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
        That the caller's token must have; None for everybody.
    answer
        Answers it.
    takes, gives
        Type of the body; None for a GET, `bytes` for a form. Type of the answer.
    says
        What it is for, in a sentence.
    kinds, largest
        Content types and bytes of a body.
    waits_for_store
        Whether it can't be answered without the store.
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
    waits_for_store: bool = False

    @property
    def is_fhir(self) -> bool:
        """Whether refusals are OperationOutcomes."""
        return FHIR_JSON in self.kinds


FHIR_KINDS = frozenset({JSON, FHIR_JSON})

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST", path="/v1/forecast", scope="forecast", answer=handlers.answer_forecast,
        takes=ForecastRequest, gives=ForecastAnswer, largest=8 * MIB,
        says="Forecast one subject's recovery, with reasons, or say why not",
    ),
    Endpoint(
        method="POST", path="/v1/forecasts", scope="forecast", answer=handlers.answer_forecasts,
        takes=ForecastsRequest, gives=ForecastsAnswer, largest=8 * MIB,
        says="Forecast many subjects, each on its own, by one version of the model",
    ),
    Endpoint(
        method="POST", path="/v1/explain", scope="explain", answer=handlers.answer_explain,
        takes=ExplainRequest, gives=ForecastAnswer, largest=8 * MIB,
        says="Explain one output at one horizon, and on request which days mattered",
    ),
    Endpoint(
        method="POST", path="/v1/observations", scope="observe", answer=handlers.observe,
        takes=ObservationsRequest, gives=Recorded, waits_for_store=True,
        says="Append days or assessments to a subject's running record",
    ),
    Endpoint(
        method="GET", path="/v1/subjects/{subject}/course", scope="course",
        answer=handlers.answer_course, gives=Course, waits_for_store=True,
        says="Hold observed against forecast",
    ),
    Endpoint(
        method="POST", path="/v1/feedback", scope="feedback", answer=handlers.feedback,
        takes=FeedbackRequest, gives=Told, waits_for_store=True,
        says="Say what a clinician made of a forecast",
    ),
    Endpoint(
        method="GET", path="/v1/model", scope="model", answer=handlers.model_card, gives=ModelCard,
        says="Show the model's card, audit, digests and validity",
    ),
    Endpoint(
        method="POST", path="/v1/fhir/forecast", scope="forecast", answer=handlers.fhir_forecast,
        takes=dict[str, Any], kinds=FHIR_KINDS, largest=8 * MIB,
        says="Take a FHIR R4 Bundle, give a RiskAssessment with Device and Provenance",
    ),
    Endpoint(
        method="GET", path="/cds-services", scope=None, answer=handlers.discover,
        says="Discover the CDS Hooks services",
    ),
    Endpoint(
        method="POST", path=f"/cds-services/{SERVICE}", scope="cds", answer=handlers.hook_cards,
        takes=HookRequest, largest=8 * MIB, says="Answer the patient-view hook with cards",
    ),
    Endpoint(
        method="POST", path=f"/cds-services/{SERVICE}/feedback", scope="cds",
        answer=handlers.hook_feedback, takes=HookFeedback, gives=Told, waits_for_store=True,
        says="Say what became of the cards",
    ),
    Endpoint(
        method="POST", path="/auth/token", scope=None, answer=handlers.token, takes=bytes,
        kinds=frozenset({FORM}), largest=64 * 1024, waits_for_store=True,
        says="Give a token for a client's signed assertion (SMART Backend Services)",
    ),
    Endpoint(
        method="GET", path="/readyz", scope=None, answer=handlers.ready, waits_for_store=True,
        says="Whether all is well, and what is not",
    ),
)  # fmt: skip
