"""Benchmark: points that a gateway pushes, against plain /v1/observations in the same run.

The whole application in this process with a store of its own (SQLite), no model and no network, so
the figures are those of one worker. All points are made up. Prints lines for people and, as its
last line, one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pandas as pd

from serving.access.authentication import Access
from serving.http.middleware import RequestMiddleware
from serving.http.service import STRING_STORAGE
from serving.http.shutdown import Shutdown
from serving.state.store import Store

TOKEN = "a-token-of-the-benchmark"  # noqa: S105
MANY, SINGLE, REPEATS = 1_000, 30, 3
TODAY = datetime.now(UTC).date()
ONSET = TODAY - timedelta(days=60)
QUERY = f"?onset_date={ONSET}&enrolment_day=1"
STEPS = "LOINC//41950-7"


def minute(n: int) -> tuple[date, str]:
    """Return the day and time of the n-th quarter of an hour, some weeks back."""
    day, rest = divmod(n, 96)
    return TODAY - timedelta(days=20 - day), f"{rest // 4:02}:{15 * (rest % 4):02}:00+01:00"


def data_point(n: int) -> dict[str, Any]:
    """Return an Open mHealth heart rate."""
    day, clock = minute(n)
    schema = {"namespace": "omh", "name": "heart-rate", "version": "2.0"}
    return {
        "header": {"id": f"p{n}", "creation_date_time": f"{TODAY}T00:00:00Z", "schema_id": schema},
        "body": {
            "heart_rate": {"value": 60 + n % 30, "unit": "beats/min"},
            "effective_time_frame": {"date_time": f"{day}T{clock}"},
        },
    }


def observation(n: int) -> dict[str, Any]:
    """Return a FHIR Observation of a heart rate."""
    day, clock = minute(n)
    return {
        "resourceType": "Observation", "id": f"o{n}", "status": "final",
        "code": {"coding": [{"system": "urn:rehabcast:vocabulary", "code": "HEART_RATE"}]},
        "subject": {"reference": "Patient/fhir"}, "effectiveDateTime": f"{day}T{clock}",
        "valueQuantity": {
            "value": 60 + n % 30, "system": "http://unitsofmeasure.org", "code": "/min",
        },
    }  # fmt: skip


async def measured(client: httpx.AsyncClient) -> dict[str, float]:
    """Send everything, one request at a time."""

    async def send(path: str, body: Any) -> float:
        started = time.perf_counter()
        answer = await client.post(path, json=body)
        seconds = time.perf_counter() - started
        answer.raise_for_status()
        refused = answer.json().get("refused", 0)
        if refused:
            raise SystemExit(f"{refused} points were refused: {answer.json()['points'][0]}")
        return seconds

    async def per_second(path: Callable[[int], str], body: Callable[[int], Any]) -> float:
        seconds = [await send(path(n), body(n)) for n in range(REPEATS)]
        return MANY / statistics.median(seconds)

    async def p50_ms(path: str, body: Callable[[int], Any]) -> float:
        return 1000 * statistics.median([await send(path, body(n)) for n in range(SINGLE)])

    points = [data_point(n) for n in range(MANY)]
    days = [{"code": STEPS, "day_since_onset": n, "value": 4_000.0 + n} for n in range(MANY)]
    push = "/v1/subjects/{}/points" + QUERY
    figures = {
        "observations, 1,000 a request: per second": await per_second(
            lambda _: "/v1/observations",
            lambda n: {"subject": f"b{n}", "enrolment_day": 1, "observations": days},
        ),
        "data points, 1,000 a request: per second": await per_second(
            lambda n: push.format(f"p{n}"), lambda _: points
        ),
        "data points known already: per second": await per_second(
            lambda n: push.format(f"p{n}"), lambda _: points
        ),
        "observations, a single one: p50, ms": await p50_ms(
            "/v1/observations",
            lambda n: {"subject": "b", "enrolment_day": 1, "observations": [days[n]]},
        ),
        "data points, a single one: p50, ms": await p50_ms(push.format("alone"), data_point),
        "data points, a single one beside 1,000 kept: p50, ms": await p50_ms(
            push.format("p0"), lambda n: data_point(MANY + n)
        ),
        "FHIR Observations, a single one: p50, ms": await p50_ms(push.format("fhir"), observation),
    }
    bundle = {"resourceType": "Bundle", "type": "collection",
              "entry": [{"resource": observation(n)} for n in range(MANY)]}  # fmt: skip
    seconds = await send(push.format("fhir"), bundle)
    return figures | {"FHIR Observations, a Bundle of 1,000: per second": MANY / seconds}


def main() -> None:
    """Run the benchmark."""
    pd.set_option("mode.string_storage", STRING_STORAGE)
    with (
        tempfile.TemporaryDirectory() as name,
        closing(Store(f"sqlite:///{Path(name) / 'service.db'}")) as store,
    ):
        runtime: Any = SimpleNamespace(
            shadow=None,
            proxies=(), store=store, problems=list,
            consents=SimpleNamespace(require=lambda *_: None),
            access=Access(audience="https://here", development_token=TOKEN),
        )  # fmt: skip
        app: Any = RequestMiddleware(None, lambda: runtime, Shutdown())  # type: ignore[arg-type]

        async def run() -> dict[str, float]:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://here", headers=headers, timeout=60
            ) as client:
                return await measured(client)

        figures = asyncio.run(run())
    for name, figure in figures.items():
        print(f"{name} {figure:,.0f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
