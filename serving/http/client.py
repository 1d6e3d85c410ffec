"""A small typed client: what is sent and what comes back are the types of `serving.schemas`."""

from __future__ import annotations

from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec

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

T = TypeVar("T")

SECONDS = 30.0


class NotAnswered(Exception):
    """The service refused; `status` is HTTP's, `retry_after` the seconds to wait, if it said so."""

    def __init__(self, status: int, told: str, retry_after: float | None) -> None:
        super().__init__(f"{status}: {told}")
        self.status, self.retry_after = status, retry_after


class Client:
    """Asks a service at an address, as whoever holds the token (None sends no token).

    Every method raises `NotAnswered` where the service refuses, and httpx's errors where nothing
    answers. A forecast that cannot be given is an answer: look at its `status`.
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

    def explain(self, request: ExplainRequest) -> ForecastAnswer:
        """Explain one output at one horizon."""
        return self._post("/v1/explain", request, ForecastAnswer)

    def observe(self, request: ObservationsRequest) -> Recorded:
        """Append to a subject's running record."""
        return self._post("/v1/observations", request, Recorded)

    def course(self, subject: str) -> Course:
        """Hold what was observed against the forecast."""
        return self._read(self._http.get(f"/v1/subjects/{subject}/course"), Course)

    def feedback(self, request: FeedbackRequest) -> Told:
        """Say what a clinician made of a forecast."""
        return self._post("/v1/feedback", request, Told)

    def model(self) -> ModelCard:
        """Show which model is in service."""
        return self._read(self._http.get("/v1/model"), ModelCard)

    def _post(self, path: str, request: Any, kind: type[T]) -> T:
        return self._read(self._http.post(path, content=msgspec.json.encode(request)), kind)

    def _read(self, answer: httpx.Response, kind: type[T]) -> T:
        if answer.status_code != httpx.codes.OK:
            told = answer.headers.get("retry-after")
            raise NotAnswered(
                answer.status_code, answer.text, None if told is None else float(told)
            )
        return msgspec.json.decode(answer.content, type=kind)
