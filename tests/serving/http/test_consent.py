"""Whoever has withdrawn consent gets no forecast on any route, also after they were erased."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from serving.access.authentication import Access
from serving.forecast.audit_status import ServedModel
from serving.formats.cds.hooks import SERVICE
from serving.http.examples import RECORD
from serving.http.middleware import RequestMiddleware
from serving.http.shutdown import Shutdown
from serving.state.champions import Champions
from serving.state.consent import Consents
from serving.state.forecast_log import ForecastLog
from serving.state.privacy import erase
from serving.state.store import Store
from serving.state.verification import verify
from tests.serving.dates import BUNDLE, HOOK

TOKEN = "a token of the tests"  # noqa: S105
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PATIENT = "1288992"
"""As the FHIR examples have it."""

INLINE = {**RECORD, "subject": PATIENT}
ON_RECORD = {"subject": PATIENT}
WITH_BUNDLE = {"subject": "another-name", "bundle": BUNDLE}
NO_ONSET = {**BUNDLE, "entry": [BUNDLE["entry"][0], BUNDLE["entry"][2]]}

ROUTES: dict[str, tuple[str, str, Any]] = {
    "inline": ("POST", "/v1/forecast", INLINE),
    "on record": ("POST", "/v1/forecast", ON_RECORD),
    "a bundle under another name": ("POST", "/v1/forecast", WITH_BUNDLE),
    "among many": ("POST", "/v1/forecasts", {"requests": [INLINE, WITH_BUNDLE]}),
    "every instrument": ("POST", "/v1/instruments", INLINE),
    "explain": ("POST", "/v1/explain", INLINE),
    "course": ("GET", f"/v1/subjects/{PATIENT}/course", None),
    "alerts": ("GET", f"/v1/subjects/{PATIENT}/alerts", None),
    "flags": ("GET", f"/v1/fhir/subjects/{PATIENT}/alerts", None),
    "observations": ("POST", "/v1/observations", INLINE),
    "fhir": ("POST", "/v1/fhir/forecast", BUNDLE),
    "fhir, other plans": ("POST", "/v1/fhir/whatif", BUNDLE),
    "fhir, refused anyway": ("POST", "/v1/fhir/forecast", NO_ONSET),
    "hook": ("POST", f"/cds-services/{SERVICE}", HOOK),
    "hook, refused anyway": (
        "POST", f"/cds-services/{SERVICE}", {**HOOK, "prefetch": {**HOOK["prefetch"], "conditions": HOOK["prefetch"]["procedures"]}},
    ),
}  # fmt: skip

Ask = Callable[[str], httpx.Response]


@pytest.fixture
def service(served: ServedModel, tmp_path: Path) -> Iterator[tuple[Store, ForecastLog, Ask]]:
    with closing(Store(f"sqlite:///{tmp_path / 'service.db'}")) as store:
        log = ForecastLog(store, tmp_path / "spool")
        runtime = SimpleNamespace(
            shadow=None,
            proxies=(),
            public_address="https://here",
            champions=Champions(
                {"arm": SimpleNamespace(current=SimpleNamespace(served=served, withdrawn=None))}
            ),
            store=store,
            consents=Consents(store.engine, seconds=600),
            forecast_log=log,
            access=Access(audience="https://here", development_token=TOKEN),
        )
        app: Any = RequestMiddleware(None, lambda: runtime, Shutdown())  # type: ignore[arg-type, return-value]

        async def exchange(method: str, path: str, body: Any) -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://test"
            ) as client:
                headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
                content = None if body is None else json.dumps(body)
                return await client.request(method, path, content=content, headers=headers)

        def ask(route: str) -> httpx.Response:
            if route in {"withdrawn", "given"}:
                decision = {"subject": PATIENT, "consent": route}
                return asyncio.run(exchange("POST", "/v1/consent", decision))
            return asyncio.run(exchange(*ROUTES[route]))

        yield store, log, ask
        runtime.consents.close()
        log.close()


def refused(ask: Ask) -> set[str]:
    """Return the routes that say why there is no forecast, and give none."""
    answers = {route: ask(route).text for route in ROUTES}
    forecast = ('"median":', "RiskAssessment", "FM-UE ")
    return {
        route
        for route, text in answers.items()
        if "withdrawn consent" in text and not any(part in text for part in forecast)
    }


def named_on_record(store: Store, log: ForecastLog) -> int:
    """Return how many entries name the person, wherever they do."""
    assert log.settle(20)
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT subject, content, details FROM service_entry")
        return sum(PATIENT in str(row) for row in rows)


def test_a_withdrawal_stops_every_route_and_names_nobody_any_more(
    service: tuple[Store, ForecastLog, Ask],
) -> None:
    store, log, ask = service
    assert ask("observations").status_code == 200
    assert refused(ask) == set()
    before = named_on_record(store, log)
    assert ask("withdrawn").status_code == 200
    assert refused(ask) == ROUTES.keys()
    assert named_on_record(store, log) == before + 1
    assert ask("given").status_code == 200
    assert refused(ask) == set()
    assert verify(store).findings == ()


def test_a_withdrawal_outlives_the_erasure_of_the_person(
    service: tuple[Store, ForecastLog, Ask],
) -> None:
    store, log, ask = service
    assert ask("observations").status_code == 200
    assert ask("withdrawn").status_code == 200
    assert log.settle(20)
    with store.engine.connect() as connection:
        tenant = connection.exec_driver_sql("SELECT tenant FROM service_consent").scalar_one()
    erase(store, tenant, PATIENT, reason="asked for it", actor="op", now=NOW)
    assert refused(ask) == ROUTES.keys()
    assert named_on_record(store, log) == 0
    assert ask("given").status_code == 200
    assert ask("observations").status_code == 200
    assert refused(ask) == set()
    assert verify(store).findings == ()
