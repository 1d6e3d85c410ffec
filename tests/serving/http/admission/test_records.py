"""Forecasts of a record that the service keeps: a store that hangs delays no other forecast."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from contracts.observation import Observation
from serving.access.authentication import Access
from serving.forecast.audit_status import ServedModel
from serving.http.admission import records
from serving.http.examples import RECORD
from serving.http.middleware import RequestMiddleware
from serving.http.shutdown import Shutdown
from serving.state.champions import Champions
from serving.state.store import NotOnRecord

TOKEN = "a token of the tests"  # noqa: S105
STORED, INLINE = {"subject": "P-1"}, {**RECORD, "explain": False}


class HangingStore:
    """Has one person, and answers only once it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.calls = 0

    def use_once(self, *_: object) -> bool:
        raise AssertionError  # The development's token is used again and again.

    def record(self, tenant: str, subject: str) -> Any:
        self.calls += 1
        assert self.released.wait(30)
        if subject != "P-1":
            raise NotOnRecord("nothing is on record for this subject", "send observations")
        observations = [Observation(**one) for one in RECORD["observations"]]
        return RECORD["enrolment_day"], observations


@pytest.fixture
def store() -> HangingStore:
    return HangingStore()


@pytest.fixture
def app(served: ServedModel, store: HangingStore) -> Any:
    runtime = SimpleNamespace(
        shadow=None,
        proxies=(),
        public_address="https://here",
        champions=Champions(
            {"arm": SimpleNamespace(current=SimpleNamespace(served=served, withdrawn=None))}
        ),
        store=store,
        consents=SimpleNamespace(require=lambda *_: None),
        forecast_log=SimpleNamespace(add=lambda _: None),
        access=Access(audience="https://here", development_token=TOKEN),
        problems=list,
    )
    return RequestMiddleware(None, lambda: runtime, Shutdown())  # type: ignore[arg-type, return-value]


def client(app: Any) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


def test_other_forecasts_do_not_wait_for_a_store_that_hangs(app: Any, store: HangingStore) -> None:
    async def run() -> None:
        async with client(app) as http:
            waiting = [
                asyncio.ensure_future(http.post("/v1/forecast", json=STORED)) for _ in range(9)
            ]
            await asyncio.sleep(0.2)
            answer = await asyncio.wait_for(http.post("/v1/forecast", json=INLINE), 5)
            assert answer.json()["status"] == "forecast"
            assert not any(one.done() for one in waiting)
            # No more threads than there are wait for the store.
            assert store.calls == records.MAX_RECORDS
            store.released.set()
            for one in waiting:
                assert (await one).json()["status"] == "forecast"

    try:
        asyncio.run(run())
    finally:
        store.released.set()


def test_a_record_that_is_not_read_in_time_is_refused(
    app: Any, store: HangingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "RECORD_SECONDS", 0.3)

    async def run() -> None:
        async with client(app) as http:
            started = time.monotonic()
            answer = await http.post("/v1/forecast", json=STORED)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["reason"] == "the record cannot be read now"
            assert time.monotonic() - started < 5
            store.released.set()

    try:
        asyncio.run(run())
    finally:
        store.released.set()


def test_of_many_people_some_are_on_record(app: Any, store: HangingStore) -> None:
    store.released.set()
    requests = [STORED, {**INLINE, "subject": "P-2"}, {"subject": "P-3"}, STORED]

    async def run() -> None:
        async with client(app) as http:
            answer = await http.post("/v1/forecasts", json={"requests": requests})
            found = [(one["subject"], one["status"]) for one in answer.json()["answers"]]
            assert found == [
                ("P-1", "forecast"), ("P-2", "forecast"), ("P-3", "no forecast"),
                ("P-1", "forecast"),
            ]  # fmt: skip
            assert (await http.post("/v1/forecast", json={"subject": "P-3"})).status_code == 404
            explained = await http.post("/v1/explain", json=STORED)
            assert explained.json()["status"] == "forecast"

    asyncio.run(run())
    # The same person is read once a request.
    assert store.calls == 4
