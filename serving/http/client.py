"""A small typed client: requests and answers are the types of `serving.schemas`."""

from __future__ import annotations

from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec

from contracts.errors import RehabcastError
from serving.course import Course
from serving.instruments import InstrumentsAnswer, InstrumentsRequest
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
    Refusal,
    WhatIfRequest,
)

T = TypeVar("T")

SECONDS = 30.0


class NotAnswered(RehabcastError):
    """The service refused a request.

    Parameters
    ----------
    reason, what_to_do
        As the service gave them.
    status
        HTTP status.
    retry_after
        Seconds to wait, if the service named them.
    """

    def __init__(
        self, reason: str, what_to_do: str, *, status: int, retry_after: float | None
    ) -> None:
        super().__init__(reason, what_to_do)
        self.status, self.retry_after = status, retry_after

    def __str__(self) -> str:
        return f"{super().__str__()} (HTTP {self.status})"


class Client:
    """Sends requests to a service at an address, with a token unless it is None.

    Every method raises `NotAnswered` where the service refuses, and httpx's errors where it does
    not answer. A forecast that cannot be given is an answer: see its `status`.
    """

    def __init__(self, address: str, token: str | None) -> None:
        authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers = {**authorization, "Content-Type": "application/json"}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=SECONDS)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def forecast(self, request: ForecastRequest) -> ForecastAnswer:
        """Forecast one subject's recovery."""
        return self._post("/v1/forecast", request, ForecastAnswer)

    def forecasts(self, request: ForecastsRequest) -> ForecastsAnswer:
        """Forecast many subjects."""
        return self._post("/v1/forecasts", request, ForecastsAnswer)

    def instruments(self, request: InstrumentsRequest) -> InstrumentsAnswer:
        """Forecast one subject by every model in service."""
        return self._post("/v1/instruments", request, InstrumentsAnswer)

    def explain(self, request: ExplainRequest) -> ForecastAnswer:
        """Explain one output at one horizon."""
        return self._post("/v1/explain", request, ForecastAnswer)

    def what_if(self, request: WhatIfRequest) -> ForecastAnswer:
        """Forecast one subject under other plans of therapy."""
        return self._post("/v1/whatif", request, ForecastAnswer)

    def observe(self, request: ObservationsRequest) -> Recorded:
        """Append to a subject's running record."""
        return self._post("/v1/observations", request, Recorded)

    def course(self, subject: str, task: str = "") -> Course:
        """Compare observed scores with the forecast of a task; of the only one where none is."""
        path = f"/v1/subjects/{subject}/course"
        return self._read(self._http.get(path, params=_of(task)), Course)

    def feedback(self, request: FeedbackRequest) -> Acknowledgement:
        """Send a clinician's feedback on a forecast."""
        return self._post("/v1/feedback", request, Acknowledgement)

    def model(self, task: str = "") -> ModelCard:
        """Return which model is in service, of a task where several are served."""
        return self._read(self._http.get("/v1/model", params=_of(task)), ModelCard)

    def _post(self, path: str, request: Any, kind: type[T]) -> T:
        return self._read(self._http.post(path, content=msgspec.json.encode(request)), kind)

    def _read(self, answer: httpx.Response, kind: type[T]) -> T:
        if answer.status_code != httpx.codes.OK:
            raise _not_answered(answer)
        return msgspec.json.decode(answer.content, type=kind)


def _of(task: str) -> dict[str, str]:
    return {"task": task} if task else {}


def _not_answered(answer: httpx.Response) -> NotAnswered:
    seconds = answer.headers.get("retry-after")
    try:
        refusal = msgspec.json.decode(answer.content, type=Refusal)
    except msgspec.DecodeError:
        # Not of the service itself: a proxy, say.
        refusal = Refusal(error="", reason=answer.text, what_to_do="check the service's address")
    return NotAnswered(
        refusal.reason,
        refusal.what_to_do,
        status=answer.status_code,
        retry_after=None if seconds is None else float(seconds),
    )
