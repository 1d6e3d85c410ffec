"""BentoML wiring, and nothing else: `serving.respond` decides.

No `from __future__ import annotations` here: BentoML resolves the types of an API's arguments from
the function itself, and the service class lives inside `build_service`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import bentoml

from serving.request import ForecastAnswer, ForecastRequest
from serving.respond import Served, respond
from serving.screening import Screening

SECONDS = 10
"""Longest time for one answer."""

CONCURRENT = 32
"""Requests answered at once; more get 429."""


def build_service(load: Callable[[], Served]) -> Any:
    """Return the BentoML service that serves what `load` gives.

    Parameters
    ----------
    load
        Loads and checks the champion; if it raises, the worker ends and never becomes ready.
    """

    @bentoml.service(
        name="rehabcast",
        workers=1,
        traffic={"timeout": SECONDS, "max_concurrency": CONCURRENT},
        metrics={"enabled": True},
    )
    class ForecastService:
        """Forecasts of functional recovery for clinicians. Advice only: see the limits of use."""

        def __init__(self) -> None:
            self.served = load()

        @bentoml.api(route="/forecast")
        def forecast(self, request: ForecastRequest, /) -> ForecastAnswer:
            """Forecast recovery from a subject's record, with reasons, or say why not."""
            return respond(request, self.served, now=datetime.now(UTC))

    service: Any = ForecastService
    service.add_asgi_middleware(Screening)
    return service
