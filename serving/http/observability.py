"""What operators see: metrics, and a line of JSON for each request; no body, path or subject."""

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

from serving.http.calls import Reply

BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0)
"""Upper bounds of the histogram, in seconds."""

log = logging.getLogger("rehabcast.requests")


class RequestMetrics(Collector):
    """Counts and logs requests by route; each worker has its own counts.

    The counts are kept here and not in prometheus_client's own counters: under BentoML those are
    memory-mapped files, and on a full disk the first request of each kind would fail.
    """

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._answers: Counter[tuple[str, str]] = Counter()
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

    def record(self, method: str, route: str, reply: Reply, caller: str, seconds: float) -> None:
        """Count and log one request."""
        route_label = route or "none"
        verb = method if method in {"GET", "POST"} else "other"
        self._requests[verb, route_label, str(reply.status)] += 1
        # What is not on record was not asked for.
        self._answers.update((a.model.task, a.status) for a in reply.answered if a.forecast_id)
        self._in_bucket[route_label][bisect_left(BUCKETS, seconds)] += 1
        self._seconds[route_label] += seconds
        log.info(
            json.dumps(
                {
                    "event": "request",
                    "method": verb,
                    "route": route_label,
                    "status": reply.status,
                    "ms": round(1000 * seconds, 1),
                    "caller": caller,
                    "model": reply.model_version,
                    "forecast": reply.forecast_id,
                }
            )
        )

    def collect(self) -> Iterator[Metric]:
        """Yield the counts as prometheus_client asks for them."""
        requests = CounterMetricFamily(
            "rehabcast_requests",
            "Requests by route and status",
            labels=["method", "route", "status"],
        )
        for labels, count in self._requests.items():
            requests.add_metric(list(labels), count)
        yield requests
        answers = CounterMetricFamily(
            "rehabcast_forecasts", "Forecasts and refusals by task", labels=["task", "status"]
        )
        for (task, status), count in self._answers.items():
            answers.add_metric([task, status], count)
        yield answers
        seconds = HistogramMetricFamily("rehabcast_seconds", "Time to answer", labels=["route"])
        bounds = [*map(str, BUCKETS), "+Inf"]
        for route, counts in self._in_bucket.items():
            cumulative = list(zip(bounds, accumulate(counts), strict=True))
            seconds.add_metric([route], cumulative, self._seconds[route])
        yield seconds

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
