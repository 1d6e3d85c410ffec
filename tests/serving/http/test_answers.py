"""Every answer of the application itself, in this process: status, headers and words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from serving.access.authentication import Access
from serving.faults import Fault
from serving.formats.cds.discovery import services_of
from serving.formats.cds.hooks import SERVICE
from serving.http import openapi
from serving.http.admission import limits
from serving.http.admission.limits import RateLimit, Room
from serving.http.decoding import MAX_FIELDS
from serving.http.endpoints import FORM
from serving.http.examples import RECORD
from serving.http.middleware import RequestMiddleware
from serving.http.refusals import RequestRefused
from serving.http.shutdown import Shutdown
from serving.state.champions import Champions
from tests.conftest import ROOT
from tests.refusals import same_as_kept
from tests.serving.dates import HOOK
from tests.serving.http.test_openapi import WRITTEN
from training.task import read_task

TOKEN = "a-token-of-the-tests"  # noqa: S105
TASK = read_task(ROOT / "tasks" / "stroke-upper-limb.toml")
DOCUMENTS = Path(__file__).parent / "documents"
PLAIN = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
"""Headers of every answer, beside its length."""

Ask = Callable[..., httpx.Response]


class Beyond:
    """What lies behind the middleware; notes what gets there."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"alive"})


class Service:
    """The application, of its model only the task: enough for what is answered before one is asked."""

    def __init__(self) -> None:
        self.beyond, self.shutdown, self.faults = Beyond(), Shutdown(), list[Fault]()
        served = SimpleNamespace(served=SimpleNamespace(bundle=SimpleNamespace(task=TASK)))
        self.runtime: Any = SimpleNamespace(
            shadow=None,
            proxies=(),
            access=Access(audience="https://here", development_token=TOKEN),
            store=SimpleNamespace(use_once=None),
            champions=Champions({"arm": SimpleNamespace(current=served)}),  # type: ignore[dict-item]
            problems=lambda: self.faults,
        )
        self.app: Any = RequestMiddleware(self.beyond, lambda: self.runtime, self.shutdown)

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Send one request; `address`, `token`, `headers` and `content` may differ."""
        return self.ask_all([(method, path)], **how)[0]

    def ask_all(self, requests: list[tuple[str, str]], **how: Any) -> list[httpx.Response]:
        """Send several requests, one after the other."""
        token = how.pop("token", TOKEN)
        headers = {"Content-Type": "application/json", **how.pop("headers", {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        transport = httpx.ASGITransport(self.app, client=(how.pop("address", "127.0.0.1"), 1))

        async def exchange() -> list[httpx.Response]:
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return [await client.request(*each, headers=headers, **how) for each in requests]

        return asyncio.run(exchange())


@pytest.fixture
def service() -> Service:
    return Service()


def told(answer: httpx.Response) -> dict[str, Any]:
    """Return what somebody is told, without what is the same in every answer."""
    headers = dict(answer.headers)
    assert headers.pop("content-length") == str(len(answer.content))
    for name, value in PLAIN.items():
        if name != "content-type" or headers[name] == value:
            assert headers.pop(name) == value, name
    return {"status": answer.status_code, "headers": headers, "body": answer.json()}


FORMS = {"Content-Type": FORM}
REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "no such route": ("GET", "/nowhere", {}),
    "a route of the framework": ("GET", "/docs.json", {}),
    "a line end after the path": ("GET", "/cds-services%0A", {}),
    "another method": ("GET", "/v1/forecast", {}),
    "another method, of a probe": ("POST", "/livez", {}),
    "another method, of the metrics": ("DELETE", "/metrics", {}),
    "another method, of one that takes GET": ("POST", "/v1/model", {}),
    "another content type": ("POST", "/v1/forecast", {"headers": {"Content-Type": "text/plain"}}),
    "no content type for FHIR": ("POST", "/v1/fhir/forecast", {"headers": {"Content-Type": ""}}),
    "JSON for a form": ("POST", "/auth/token", {}),
    "no token": ("POST", "/v1/forecast", {"token": None}),
    "no token, asked for by FHIR": ("POST", "/v1/fhir/forecast", {"token": None}),
    "another scheme": ("GET", "/v1/model", {"token": None, "headers": {"Authorization": "Basic x"}}),
    "a token that is none": ("GET", "/metrics", {"token": "x"}),
    "a large body": ("POST", "/v1/feedback", {"content": b" " * (1024 * 1024 + 1)}),
    "a large form": ("POST", "/auth/token", {"content": b"a" * 65_537, "headers": FORMS}),
    "a body where there is none": ("GET", "/v1/model", {"content": b"x"}),
    "no JSON": ("POST", "/v1/forecast", {"content": b"{"}),
    "no JSON, for FHIR": ("POST", "/v1/fhir/forecast", {"content": b"{"}),
    "a field that is missing": ("POST", "/v1/feedback", {"json": {"outcome": "accepted"}}),
    "a field that is unknown": ("POST", "/v1/forecast", {"json": {**RECORD, "name": "Jane"}}),
    "a value that is wrong": ("POST", "/v1/forecast", {"json": {**RECORD, "enrolment_day": -1}}),
    "a name sent twice": ("POST", "/v1/forecast", {"content": b'{"subject":"a","subject":"b"}'}),
    "a NUL character": ("POST", "/v1/forecast", {"content": rb'{"subject":"\u0000"}'}),
    "a query of many fields": (
        "GET", "/v1/subjects/a/course?" + "&".join(f"a{n}=1" for n in range(MAX_FIELDS + 1)), {},
    ),
    "a subject that is none": ("GET", "/v1/subjects/a.b/course", {}),
    "days that are no number": ("GET", "/v1/subjects/a/course?alert_days=x", {}),
    "a hook without its prefetch": (
        "POST", f"/cds-services/{SERVICE}", {"json": {**HOOK, "prefetch": {"patient": None}}},
    ),
    "no form": ("POST", "/auth/token", {"content": b"a", "headers": FORMS}),
    "no grant type": ("POST", "/auth/token", {"content": b"a=1", "headers": FORMS}),
    "no tokens here": (
        "POST", "/auth/token", {"content": b"grant_type=client_credentials", "headers": FORMS},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_has_its_status_its_headers_and_its_words(service: Service, what: str) -> None:
    method, path, how = REFUSED[what]
    same_as_kept(told(service.ask(method, path, **how)))
    assert service.beyond.scopes == []


def test_what_needs_no_token_is_answered_without_one(service: Service) -> None:
    answer = service.ask("GET", "/cds-services", token=None)
    assert told(answer) == {"status": 200, "headers": {}, "body": services_of([TASK])}
    answer = service.ask("GET", "/openapi.json", token=None)
    assert told(answer)["body"]["info"]["title"] == "rehabcast"
    assert service.ask("GET", "/livez", token=None).text == "alive"
    assert service.beyond.scopes.pop()["path"] == "/livez"
    taken = service.ask("GET", "/healthz", token=None)
    assert told(taken)["body"] == {"ready": True, "problems": []}


def test_the_openapi_document_is_the_one_that_is_kept(tmp_path: Path) -> None:
    """What clients are made from: a change of it is a change for them."""
    document = json.dumps(json.loads(openapi.document(WRITTEN)), indent=1) + "\n"
    (tmp_path / "openapi.json").write_text(document, "utf-8")
    assert document == (DOCUMENTS / "openapi.json").read_text("utf-8"), tmp_path


def test_metrics_are_text_and_count_what_was_answered(service: Service) -> None:
    service.ask("GET", "/nowhere")
    service.ask("PUT", "/v1/forecast")
    service.ask("GET", "/cds-services")
    answer = service.ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4"
    counted = {line for line in answer.text.splitlines() if line.startswith("rehabcast_requests_t")}
    assert counted == {
        'rehabcast_requests_total{method="GET",route="none",status="404"} 1.0',
        'rehabcast_requests_total{method="other",route="none",status="405"} 1.0',
        'rehabcast_requests_total{method="GET",route="/cds-services",status="200"} 1.0',
    }
    text = answer.text
    assert 'rehabcast_seconds_bucket{le="5.0",route="/cds-services"} 1.0' in text
    assert 'rehabcast_seconds_count{route="none"} 2.0' in text
    assert "# HELP rehabcast_requests_total Requests by route and status" in text
    assert "# HELP rehabcast_seconds Time to answer" in text


def test_whoever_has_no_token_is_limited_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document and the list of hooks count together; a token's rate is another one."""
    monkeypatch.setattr(limits, "ANONYMOUS_PER_SECOND", 1)
    monkeypatch.setattr(limits, "ANONYMOUS_BURST", 4)
    service = Service()
    both = [("GET", "/openapi.json"), ("GET", "/cds-services")]
    answers = service.ask_all(both * 10, token=None)
    assert {answer.status_code for answer in answers[:4]} == {200}
    refused = [answer for answer in answers if answer.status_code == 429]
    same_as_kept(told(refused[0]))
    answered = sum(answer.status_code == 200 for answer in answers)
    assert answered + len(refused) == 20
    assert answered <= 6
    for path in ("/openapi.json", "/cds-services"):
        assert service.ask("GET", path, token=None, address="10.0.0.2").status_code == 200
    assert service.ask("GET", "/metrics").status_code == 200


def test_a_content_type_may_name_its_characters_and_be_in_capitals(service: Service) -> None:
    for kind in ("application/json; charset=utf-8", "Application/JSON", " application/json "):
        answer = service.ask("POST", "/v1/forecast", content=b"{", headers={"Content-Type": kind})
        assert (answer.status_code, kind) == (400, kind)


def test_a_probe_says_what_is_wrong(service: Service) -> None:
    assert told(service.ask("GET", "/readyz", token=None)) == {
        "status": 200, "headers": {}, "body": {"ready": True, "problems": []},
    }  # fmt: skip
    ill = Service()
    ill.faults.append(Fault("the disk is full", "make room"))
    assert told(ill.ask("GET", "/readyz", token=None)) == {
        "status": 503,
        "headers": {},
        "body": {"ready": False, "problems": ["the disk is full: make room"]},
    }


def test_while_it_shuts_down_it_answers_and_asks_everybody_to_leave(service: Service) -> None:
    service.shutdown.begin()
    same_as_kept(told(service.ask("GET", "/readyz")))
    answer = told(service.ask("GET", "/cds-services"))
    assert (answer["status"], answer["headers"]) == (200, {"connection": "close"})
    refused = told(service.ask("GET", "/v1/forecast"))
    assert refused["headers"] == {"allow": "POST", "connection": "close"}


def test_an_error_that_nobody_foresaw_says_nothing_of_itself(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise KeyError("CANARY")

    service.app = RequestMiddleware(service.beyond, broken, service.shutdown)
    answer = service.ask("GET", "/v1/model")
    same_as_kept(told(answer))
    assert "a request failed: KeyError at " in caplog.text
    assert "CANARY" not in caplog.text + answer.text


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_only_http_is_spoken(service: Service, kind: str) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(service.app({"type": kind}, None, send))
    if kind == "lifespan":
        assert (sent, service.beyond.scopes) == ([], [{"type": "lifespan"}])
    else:
        assert (sent, service.beyond.scopes) == ([{"type": "websocket.close", "code": 1008}], [])


def test_a_body_that_ends_early_is_refused(service: Service) -> None:
    messages = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/forecast", "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(b"Content-Type", b"application/json"), (b"authorization", f"bearer {TOKEN}".encode())],
    }  # fmt: skip
    asyncio.run(service.app(scope, receive, send))
    assert sent[0]["status"] == 400
    assert b"the body ended early" in sent[1]["body"]
    assert b"send the whole body again" in sent[1]["body"]


def test_a_room_has_a_limit_for_all_and_for_one() -> None:
    room = Room(4, 3, "too many")
    room.take("a", 3)
    said = []
    for caller, count in (("a", 1), ("b", 2)):
        with pytest.raises(RequestRefused) as refusal:
            room.take(caller, count)
        said.append([refusal.value.status, str(refusal.value), refusal.value.headers])
    headers = ((b"retry-after", b"1"),)
    assert said == [
        [429, "too many from one caller: try again in a second", headers],
        [429, "too many: try again in a second", headers],
    ]
    # What was refused takes nothing, and what is given back is there again.
    room.take("b")
    room.give_back("a", 2)
    room.take("b", 2)
    with pytest.raises(RequestRefused):
        room.take("c")


def test_a_caller_is_told_in_whole_seconds_when_to_come_again() -> None:
    limit = RateLimit(per_second=1, burst=1, clock=lambda: 10.0)
    limit.check("a")
    with pytest.raises(RequestRefused) as refusal:
        limit.check("a")
    assert refusal.value.status == 429
    assert refusal.value.headers == ((b"retry-after", b"1"),)
    assert str(refusal.value) == "too many requests from one caller: try again in 1 s"
