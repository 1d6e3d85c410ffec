"""The pages in this process: a real store, and the champion of a golden home (SIMULATED people)."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from contracts.exercise import codes
from contracts.observation import Observation
from contracts.verdict import Outcome
from inference.bundle import load_bundle, verify_bundle
from serving.access.trust import Access
from serving.forecast.audit_status import AuditStatus, ServedModel
from serving.http.middleware import RequestMiddleware
from serving.http.runtime import Runtime
from serving.http.shutdown import Shutdown
from serving.pages.mounted import Pages
from serving.pages.table import PAGES
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from serving.state.consent import Consents
from serving.state.forecast_log import ForecastLog
from serving.state.people import sessions
from serving.state.store import Store

GOLDEN = Path(__file__).parents[2] / "rehabcast" / "golden_homes" / "2026-11-form-2.tar.xz"
ARM = "REHABCAST//FUGL_MEYER_UE"
STEPS = "LOINC//41950-7"
SPEED = "REHABCAST//WALK_TEST_SPEED"
HANDS, WALKING = "stroke-upper-limb", "stroke-gait-speed"
TOKEN = "a-token-of-the-tests"  # noqa: S105


@dataclass(frozen=True)
class Fixed:
    """A champion that stays as it is."""

    current: Snapshot
    problem: None = None

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    folder = tmp_path_factory.mktemp("golden")
    with tarfile.open(GOLDEN) as opened:
        opened.extractall(folder, filter="data")
    (manifest,) = folder.rglob("manifest.json")
    digest = verify_bundle(manifest.parent)
    status = AuditStatus(
        model_version="arm/1", report_digest="r" * 64, outcome=Outcome.PASS,
        valid_until=datetime(2100, 1, 1, tzinfo=UTC), approver=None, reason=None,
    )  # fmt: skip
    return ServedModel(
        bundle=load_bundle(manifest.parent, expected_digest=digest), audit_status=status, card="# C"
    )


@pytest.fixture
def runtime(golden: ServedModel, tmp_path: Path) -> Iterator[Runtime]:
    store = Store(f"sqlite:///{tmp_path / 'service.db'}")
    with closing(
        Runtime(
            champions=Champions({"arm": Fixed(Snapshot(served=golden))}),
            store=store, consents=Consents(store.engine),
            forecast_log=ForecastLog(store, tmp_path / "spool"),
            access=Access(development_token=TOKEN),
        )
    ) as opened:  # fmt: skip
        yield opened


class InProcess(httpx.BaseTransport):
    """Sends requests of a usual client to an application of this process."""

    def __init__(self, application: Any, portal: BlockingPortal) -> None:
        self._asgi = httpx.ASGITransport(application, client=("127.0.0.1", 50_000))
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def send() -> httpx.Response:
            answer = await self._asgi.handle_async_request(request)
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            content = b"".join([part async for part in answer.stream])
            return httpx.Response(
                answer.status_code, headers=answer.headers, stream=httpx.ByteStream(content)
            )

        return self._portal.call(send)


def without_today(task: str) -> str:
    """Return the choice of a reader who goes on without a prediction today."""
    return f"{task} {datetime.now(UTC).date()}"


def without(task: str) -> str:
    """Return what an address has of it."""
    return f"without={quote(without_today(task))}"


def without_tokens(page: str) -> str:
    """Return a page without its forms' tokens, which can have any short number in them."""
    return re.sub(r"[0-9a-f]{32}\.[0-9a-f]{64}", "", page)


@dataclass
class Browser:
    """A browser without scripts: cookies, links and forms."""

    http: httpx.Client
    runtime: Runtime

    def open(self, path: str, status: int = 200, **headers: str) -> str:
        answer = self.http.get(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.text

    def token(self, page: str, action: str) -> str:
        """Return the token of the form of a page that is sent to an address."""
        found = re.search(
            rf'action="{re.escape(action)}(?:\?[^"]*)?".*?name="token" value="([^"]*)"',
            page,
            re.DOTALL,
        )
        assert found is not None, f"no form for {action}"
        return unescape(found[1])

    def send(
        self, path: str, form: dict[str, str], *, on: str = "", token: str | None = None,
        follow: bool = True, **headers: str,
    ) -> Any:  # fmt: skip
        """Send the form of a page as a browser does; with a token, to the very address."""
        if token is None:
            page = self.open(on or path.rpartition("/")[0])
            token = self.token(page, path)
            found = re.search(rf'action="({re.escape(path)}(?:\?[^"]*)?)"', page)
            path = unescape(found[1]) if found else path
        return self.http.post(
            path, data={**form, "token": token}, headers=headers, follow_redirects=follow
        )

    def sign_in(self, *roles: str, person: str = "Ann Other", tenant: str = "ward") -> None:
        held = sessions.begin(
            self.runtime.store.engine, name=f"user:test:{person}", person=person, tenant=tenant,
            roles=roles or ("clinician",), now=datetime.now(UTC),
        )  # fmt: skip
        self.http.cookies.clear()
        self.http.cookies.set("rehabcast-session", held)

    def add(self, subject: str, *values: tuple[str, int | None, float], day: int = 10) -> None:
        """Put values on record, as the service's own route does."""
        self.runtime.store.add(
            "ward", subject, day,
            [Observation(code=c, day_since_onset=d, value=v) for c, d, v in values],
            actor="tests", now=datetime.now(UTC),
        )  # fmt: skip


@pytest.fixture
def pages() -> Pages:
    return Pages(PAGES)


@pytest.fixture
def browser(runtime: Runtime, pages: Pages) -> Iterator[Browser]:
    async def nothing(*_: object) -> None:
        raise AssertionError("nothing else answers")

    application = RequestMiddleware(nothing, lambda: runtime, Shutdown(), pages)
    with (
        start_blocking_portal() as portal,
        httpx.Client(
            transport=InProcess(application, portal), base_url="http://127.0.0.1:3000"
        ) as http,
    ):
        yield Browser(http, runtime)


@pytest.fixture
def a_course() -> list[tuple[str, int | None, float]]:
    """Scores, facts and sixty days of steps with a gap."""
    days = [day for day in range(6, 66) if not 30 <= day < 40]
    return [
        (ARM, 6, 18.0), (ARM, 20, 25.0), (ARM, 34, 31.0), ("REHABCAST//AGE", None, 70.0),
        *((STEPS, day, 2000.0 + 50 * day) for day in days),
    ]  # fmt: skip


def following(browser: Browser, runtime: Runtime, champions: Champions, **changed: Any) -> None:
    both = replace(runtime, champions=champions, **changed)
    browser.http._transport._asgi.app = RequestMiddleware(  # type: ignore[attr-defined]
        None, lambda: both, Shutdown(), Pages(PAGES)  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def of_two(
    browser: Browser, runtime: Runtime, golden: ServedModel, served_walking: ServedModel, a_course: Any
) -> Browser:  # fmt: skip
    """A ward of two instruments that asks for a prediction first, and a patient."""
    two = {"arm": Fixed(Snapshot(golden)), "walking": Fixed(Snapshot(served_walking))}
    following(browser, runtime, Champions(two), predict_first=True)
    browser.sign_in("clinician")
    values = [(SPEED, 6, 0.31), (SPEED, 34, 0.62)]
    done = [(codes.REPETITIONS, day, 20.0) for day in range(50, 66)]
    browser.add("P-1", *a_course, *values, *done, day=6)
    return browser
