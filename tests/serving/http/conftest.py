"""The whole application in this process, for tests that send it thousands of bodies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from serving.access.authentication import Access
from serving.forecast.audit_status import ServedModel
from serving.http.middleware import RequestMiddleware
from serving.http.shutdown import Shutdown
from serving.state.champions import Champions
from serving.state.store import Store

TOKEN = "a token of the tests"  # noqa: S105
SECONDS = 1.0
"""Of a worker's processor: what no body may take."""

Ask = Callable[..., tuple[httpx.Response, float]]


@pytest.fixture(scope="module")
def ask(served: ServedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Sends a body through the application; returns the answer and the processor's seconds."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with closing(Store(f"sqlite:///{folder / 'service.db'}")) as store:
        runtime = SimpleNamespace(
            shadow=None,
            proxies=(),
            public_address="https://here",
            champions=Champions(
                {"arm": SimpleNamespace(current=SimpleNamespace(served=served, withdrawn=None))}
            ),
            store=store,
            consents=SimpleNamespace(require=lambda *_: None, set=lambda *_, **__: None),
            forecast_log=SimpleNamespace(add=lambda _: None, settle=lambda _: True),
            access=Access(audience="https://here", development_token=TOKEN),
            problems=list,
        )
        app: Any = RequestMiddleware(None, lambda: runtime, Shutdown())  # type: ignore[arg-type, return-value]

        numbers = count()

        async def exchange(path: str, body: bytes, kind: str) -> httpx.Response:
            # Each from an address of its own: without a token one address may ask 50 times a second.
            number = next(numbers)
            address = f"127.{number // 62_500 % 250}.{number // 250 % 250}.{number % 250 + 1}"
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
                return await client.post(path, content=body, headers=headers)

        def send(
            path: str, body: bytes, kind: str = "application/json"
        ) -> tuple[httpx.Response, float]:
            seconds = SECONDS
            # A pause of the collector of garbage, and other processes, do not count.
            for _ in range(3):
                started = time.process_time()
                answer = asyncio.run(exchange(path, body, kind))
                seconds = min(time.process_time() - started, seconds)
                if seconds < SECONDS:
                    break
            return answer, seconds

        yield send
