"""Requests with a known right answer, in this process and against a real service.

The requests and what must come back lie beside the repository.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Callable
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
from tests.conftest import ROOT
from tests.serving.dates import as_of_today

CASES = ROOT.parent / "shared" / "cases" / "service"
FOLDERS = sorted(file.parent for file in CASES.glob("*/expected.toml"))
WRITTEN = "2024-03-20"
"""A day after all that the requests tell."""

TOKEN = "a-token-of-the-tests"  # noqa: S105

Send = Callable[[dict[str, Any], Any], httpx.Response]


def in_this_process(served: ServedModel) -> Send:
    runtime = SimpleNamespace(
        shadow=None,
        proxies=(),
        public_address="https://here",
        champions=Champions(
            {"arm": SimpleNamespace(current=SimpleNamespace(served=served, withdrawn=None))}
        ),
        store=SimpleNamespace(record=None, use_once=None),
        consents=SimpleNamespace(require=lambda *_: None),
        forecast_log=SimpleNamespace(add=lambda _: None),
        access=Access(audience="https://here", development_token=TOKEN),
    )

    async def exchange(expected: dict[str, Any], body: Any) -> httpx.Response:
        app: Any = RequestMiddleware(None, lambda: runtime, Shutdown())  # type: ignore[arg-type]
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": expected["content_type"]},
        ) as client:
            route = expected["route"]
            return await client.request(expected["method"], route, content=json.dumps(body))

    return lambda expected, body: asyncio.run(exchange(expected, body))


def on_a_server(server: Any) -> Send:
    def send(expected: dict[str, Any], body: Any) -> httpx.Response:
        answer: httpx.Response = server.http.request(
            expected["method"],
            expected["route"],
            content=json.dumps(body),
            headers={"Content-Type": expected["content_type"]},
        )
        return answer

    return send


def shown(answer: httpx.Response) -> Any:
    """Return the numbers of a forecast, as they are compared; None where there is no forecast."""
    content = answer.json()
    if "cards" in content:
        summary = content["cards"][0]["summary"] if content["cards"] else "No forecast"
        return None if "No forecast" in summary else summary
    if answer.status_code != 200:
        return None
    assessment = content["entry"][0]["resource"]
    return [note["text"] for note in assessment["note"] if "most likely" in note["text"]]


def judge(case: Path, send: Send) -> None:
    expected = tomllib.loads((case / "expected.toml").read_text("utf-8"))

    def ask(name: str) -> httpx.Response:
        body = json.loads((case / name).read_text("utf-8"))
        return send(expected, as_of_today(body, written=WRITTEN))

    answer = ask(expected["request"])
    assert answer.status_code in expected["status"], answer.text
    if expected["outcome"] == "no forecast":
        assert shown(answer) is None
        for words in expected["message_words"]:
            assert any(word.casefold() in answer.text.casefold() for word in words), answer.text
        return
    assert shown(answer)
    assert shown(answer) == shown(ask(expected["same_forecast_as"]))
    if other := expected.get("differs_from"):
        assert shown(answer) != shown(ask(other))


needs_cases = pytest.mark.skipif(
    not FOLDERS, reason=f"{CASES} is not there: the requests lie beside the repository"
)


@needs_cases
@pytest.mark.parametrize("case", FOLDERS or [CASES], ids=lambda case: case.name)
def test_a_request_gets_the_stated_answer(case: Path, served: ServedModel) -> None:
    judge(case, in_this_process(served))


@needs_cases
def test_a_real_service_gives_the_stated_answers(server: Any) -> None:
    for case in FOLDERS:
        judge(case, on_a_server(server))
