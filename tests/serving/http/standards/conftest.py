"""The whole application in this process, with one model and a store of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from serving.access.authentication import Access
from serving.forecast.audit_status import ServedModel
from serving.http.middleware import RequestMiddleware
from serving.http.shutdown import Shutdown
from serving.http.standards.cross_origin import CrossOrigin
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from serving.state.consent import Consents
from serving.state.forecast_log import ForecastLog
from serving.state.store import Store

TOKEN = "a-token-of-the-tests"  # noqa: S105


class Application:
    """What a client can send requests to."""

    def __init__(self, folder: Path, *served: ServedModel) -> None:
        self.store = Store(f"sqlite:///{folder / 'service.db'}")
        self.log = ForecastLog(self.store, folder / "spool")
        self.consents = Consents(self.store.engine, seconds=600)
        self.champions: list[Any] = [SimpleNamespace(current=Snapshot(each)) for each in served]
        self.champion = self.champions[0]
        self.runtime: Any = SimpleNamespace(
            shadow=None,
            proxies=(),
            champions=Champions(dict(zip(("arm", "walking"), self.champions, strict=False))),
            store=self.store,
            consents=self.consents,
            forecast_log=self.log,
            access=Access(audience="https://here.test", development_token=TOKEN),
            public_address="https://clinic.test",
            origins=(),
        )
        inner: Any = RequestMiddleware(None, lambda: self.runtime, Shutdown())  # type: ignore[arg-type]
        self.app: Any = CrossOrigin(inner, lambda: self.runtime.origins)

    def ask(self, path: str, body: Any = None, method: str = "", **headers: str) -> httpx.Response:
        """Send one request; a field of the header is written with `_` for `-`."""
        fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}

        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await client.request(
                    method or ("GET" if body is None else "POST"),
                    path,
                    content=None if body is None else json.dumps(body),
                    headers=fields,
                )

        return asyncio.run(exchange())

    def on_record(self, kind: str) -> list[Any]:
        """Return the entries of a kind, oldest first."""
        assert self.log.settle(30)
        with self.store.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT * FROM service_entry ORDER BY sequence").all()
        return [row for row in rows if row.kind == kind]

    def close(self) -> None:
        self.consents.close()
        self.log.close()
        self.store.close()


@pytest.fixture
def application(served: ServedModel, tmp_path: Path) -> Iterator[Application]:
    with closing(Application(tmp_path, served)) as opened:
        yield opened
