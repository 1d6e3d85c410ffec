"""BentoML wiring, and nothing else: `serving.door` lets in, `serving.endpoints` answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bentoml

from serving.desk import Desk
from serving.door import Door

SECONDS = 30
"""Longest time for one answer."""


def build_service(open_desk: Callable[[], Desk], workers: int = 1) -> Any:
    """Return the BentoML service.

    Parameters
    ----------
    open_desk
        Loads and checks the champion and opens the store; if it raises, the worker ends and never
        becomes ready.
    """
    opened: list[Desk] = []

    @bentoml.service(
        name="rehabcast",
        workers=workers,
        traffic={"timeout": SECONDS},
        # Both write the path of a request, and so a subject's id; `serving.observe` does not.
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
    )
    class ForecastService:
        """Forecasts of functional recovery for clinicians. Advice only: see the limits of use."""

        def __init__(self) -> None:
            opened.append(open_desk())

        @bentoml.on_shutdown
        def close(self) -> None:
            """Write what waits."""
            opened.pop().close()

    service: Any = ForecastService
    service.add_asgi_middleware(Door, desk=lambda: opened[-1])
    return service
