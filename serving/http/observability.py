"""What operators see: a line of JSON a request, and metrics. Never a body, path or subject."""

from __future__ import annotations

import json
import logging
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.http.handlers import Answered

BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0)
"""Seconds."""

log = logging.getLogger("rehabcast.requests")


class Observed(Collector):
    """Counts and logs requests by route; each worker shows its own.

    The counts are kept here and not in prometheus_client's own counters: under BentoML those are
    mapped files, and on a full disk the first request of a kind would end in an error.
    """

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._in_bucket: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)
        self._registry = CollectorRegistry()
        self._registry.register(self)
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
        self._requests[verb, known, str(answered.status)] += 1
        self._in_bucket[known][bisect_left(BUCKETS, seconds)] += 1
        self._seconds[known] += seconds
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

    def collect(self) -> Iterator[Metric]:
        """Tell the counts as prometheus_client wants them."""
        requests = CounterMetricFamily(
            "rehabcast_requests",
            "Requests by route and status",
            labels=["method", "route", "status"],
        )
        for labels, count in self._requests.items():
            requests.add_metric(list(labels), count)
        yield requests
        seconds = HistogramMetricFamily("rehabcast_seconds", "Time to answer", labels=["route"])
        bounds = [*map(str, BUCKETS), "+Inf"]
        for route, counts in self._in_bucket.items():
            upto = list(zip(bounds, accumulate(counts), strict=True))
            seconds.add_metric([route], upto, self._seconds[route])
        yield seconds

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
