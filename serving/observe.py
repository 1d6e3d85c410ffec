"""What operators see: a line of JSON a request, and metrics. Never a body, path or subject."""

from __future__ import annotations

import json
import logging
import sys

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from serving.handlers import Answered

BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0)
"""Seconds."""

log = logging.getLogger("rehabcast.requests")


class Observed:
    """Counts and logs requests by route; each worker shows its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "rehabcast_requests", "Requests by route and status", ["method", "route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "rehabcast_seconds", "Time to answer", ["route"], buckets=BUCKETS,
            registry=self._registry,
        )  # fmt: skip
        if not log.handlers:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(logging.Formatter("%(message)s"))
            log.addHandler(handler)
            log.setLevel(logging.INFO)
            log.propagate = False

    def note(
        self, method: str, route: str, answered: Answered, caller: str, seconds: float
    ) -> None:
        """Count and log one request."""
        known = route or "none"
        verb = method if method in {"GET", "POST"} else "other"
        self._requests.labels(verb, known, str(answered.status)).inc()
        self._seconds.labels(known).observe(seconds)
        log.info(
            json.dumps(
                {
                    "event": "request",
                    "method": verb,
                    "route": known,
                    "status": answered.status,
                    "ms": round(1000 * seconds, 1),
                    "caller": caller,
                    "model": answered.model,
                    "forecast": answered.forecast_id,
                }
            )
        )

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
