"""BentoML wiring, and nothing else: `middleware` lets requests in, `endpoints` answer them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import bentoml

from serving.http.middleware import Door
from serving.http.runtime import Desk
from serving.http.shutdown import Ending

SECONDS = 30
"""Longest time for one answer."""

TURN_SECONDS = 0.0005
"""How long a thread keeps the interpreter while another waits. With Python's 5 ms, the thread that
takes requests waits several times that for each, and cannot even say 429 in time."""


def build_service(open_desk: Callable[[], Desk], workers: int = 1) -> Any:
    """Return the BentoML service.

    Parameters
    ----------
    open_desk
        Loads and checks the champion and opens the store; if it raises, the worker ends and never
        becomes ready.
    """
    opened: list[Desk] = []
    ending = Ending()

    @bentoml.service(
        name="rehabcast",
        workers=workers,
        traffic={"timeout": SECONDS},
        # All three write the path of a request, and so a subject's id; `observability` does not.
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
        tracing={"excluded_urls": [".*"]},
    )
    class ForecastService:
        """Forecasts of functional recovery for clinicians. Advice only: see the limits of use."""

        def __init__(self) -> None:
            sys.setswitchinterval(TURN_SECONDS)
            opened.append(open_desk())
            # What is loaded now stays: no later collection has to walk all of it, 0.2 s each.
            gc.collect()
            gc.freeze()

        @bentoml.on_startup
        async def watch(self) -> None:
            """Take part in the worker's end."""
            ending.watch()

        @bentoml.on_shutdown
        def close(self) -> None:
            """Write what waits."""
            opened.pop().close()

    service: Any = ForecastService
    service.add_asgi_middleware(Door, desk=lambda: opened[-1], ending=ending)
    return service
