"""BentoML wiring, and nothing else: `serving.respond` decides.

No `from __future__ import annotations` here: BentoML resolves the types of an API's arguments from
the function itself, and the service class lives inside `build_service`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import bentoml

from serving.request import ForecastAnswer, ForecastRequest
from serving.respond import Served, respond
from serving.screening import Screening

SECONDS = 10
"""Longest time for one answer."""

RECHECK_SECONDS = 5
"""How long a revoked champion may go on answering."""

CONCURRENT = 32
"""Requests answered at once; more get 429."""


def build_service(
    load: Callable[[], Served], withdrawn: Callable[[Served], str] = lambda _: ""
) -> Any:
    """Return the BentoML service that serves what `load` gives.

    Parameters
    ----------
    load
        Loads and checks the champion; if it raises, the worker ends and never becomes ready.
    withdrawn
        Asked every few seconds while requests come: says why the champion may no longer be served,
        empty while it may.
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
            self.why, self.asked_at = "", monotonic()

        @bentoml.api(route="/forecast")
        def forecast(self, request: ForecastRequest, /) -> ForecastAnswer:
            """Forecast recovery from a subject's record, with reasons, or say why not."""
            if monotonic() - self.asked_at >= RECHECK_SECONDS:
                self.why, self.asked_at = withdrawn(self.served), monotonic()
            return respond(request, self.served, now=datetime.now(UTC), withdrawn=self.why)

    service: Any = ForecastService
    service.add_asgi_middleware(Screening)
    return service
