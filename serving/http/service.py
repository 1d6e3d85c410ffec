"""BentoML wiring, and nothing else: `middleware` checks requests, `endpoints` says who answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import bentoml
import pandas as pd

from serving.http.middleware import PagesForPeople, RequestMiddleware
from serving.http.runtime import Runtime
from serving.http.shutdown import Shutdown
from serving.http.standards.cross_origin import CrossOrigin
from serving.http.start import NOT_SERVED, StartedByOurServer
from stores.collection import without_collection

TIMEOUT_SECONDS = 30
"""Longest time for one answer."""

SWITCH_SECONDS = 0.0005
"""How long a thread keeps the interpreter while another waits. With Python's 5 ms, the thread that
takes requests waits several times that for each one, and cannot even send a 429 in time."""

STRING_STORAGE = "python"
"""How pandas keeps texts. Arrow is made for long columns: for the few rows of one patient's FHIR
document each step costs more than it saves, a third of the whole."""


def build_service(
    open_runtime: Callable[[], Runtime], workers: int = 1, pages: PagesForPeople | None = None
) -> Any:
    """Return the BentoML service.

    Parameters
    ----------
    open_runtime
        Loads and verifies the champion and opens the store; if it raises, the worker ends and
        never becomes ready.
    pages
        What people open in a browser; None where there are only routes for programs.
    """
    opened: list[Runtime] = []
    shutdown = Shutdown()

    @bentoml.service(
        name="rehabcast",
        workers=workers,
        traffic={"timeout": TIMEOUT_SECONDS},
        # All three write the path of a request, and so a subject's id; `observability` does not.
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
        tracing={"excluded_urls": [".*"]},
    )
    class ForecastService:
        """Forecasts of functional recovery for clinicians. Advice only: see the limits of use."""

        def __init__(self) -> None:
            sys.setswitchinterval(SWITCH_SECONDS)
            pd.set_option("mode.string_storage", STRING_STORAGE)
            # What is loaded now is never freed: no later collection has to walk it, 0.2 s each.
            with without_collection():
                opened.append(open_runtime())

        @bentoml.on_deployment
        @staticmethod
        def refuse() -> None:
            """End BentoML's supervisor, which calls this before it opens its control port."""
            raise NOT_SERVED

        @bentoml.on_startup
        async def watch(self) -> None:
            """Handle SIGTERM."""
            shutdown.watch()

        @bentoml.on_shutdown
        def close(self) -> None:
            """Write the entries that are waiting."""
            opened.pop().close()

    service: Any = ForecastService
    service.add_asgi_middleware(StartedByOurServer)
    service.add_asgi_middleware(CrossOrigin, origins=lambda: opened[-1].origins)
    service.add_asgi_middleware(
        RequestMiddleware, runtime=lambda: opened[-1], shutdown=shutdown, pages=pages
    )
    return service
