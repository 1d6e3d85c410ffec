"""A clinician's and a board's errand by keyboard alone, in a real browser on a real server.

The champion is a golden home's, and everybody in it is SIMULATED. Each page is read by axe-core
against WCAG 2.2, levels A and AA.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from contracts.exercise import codes
from contracts.observation import Observation
from serving.access.trust import DEVELOPMENT
from serving.state.store import Store
from tests.serving.pages.conftest import ARM, GOLDEN, STEPS

CHROMIUM = Path("/usr/bin/chromium")
WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
TOKEN = "a-token-of-these-tests-only"  # noqa: S105
START_SECONDS = 120
MOST_TABS = 90
VERSION = "/pages/governance/arm/1"
PAGES = (
    "/pages/patients", "/pages/patients/P-1", "/pages/patients/P-2",
    "/pages/patients/P-1/family", "/pages/patients/P-1/whatif",
    "/pages/patients/P-2/exercise", "/pages/new-patient",
    "/pages/practice/3?guess=30", "/pages/governance", VERSION, "/pages/bench", "/pages/operation",
)  # fmt: skip
BOTH_WAYS = ("/pages/patients/P-1", "/pages/patients/P-1/family")
"""Also read wide, and in print."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pages")
    with tarfile.open(GOLDEN) as opened:
        opened.extractall(folder, filter="data")
    home = folder / "home"
    home.chmod(0o700)
    days = [day for day in range(6, 66) if not 30 <= day < 40]
    values = [(ARM, 6, 18.0), (ARM, 20, 25.0), (ARM, 34, 31.0)]
    values += [(STEPS, day, 2000.0 + 50 * day) for day in days]
    with closing(Store(f"sqlite:///{home / 'service.db'}")) as store:
        for subject, last in (("P-1", 34.0), ("P-2", 12.0)):
            of_this = [*values, (ARM, 48, last)]
            if subject == "P-2":
                of_this += [(codes.REPETITIONS, day, 20.0) for day in range(50, 66)]
            store.add(
                DEVELOPMENT, subject, 6,
                [Observation(code=c, day_since_onset=d, value=v) for c, d, v in of_this],
                actor="tests", now=datetime.now(UTC),
            )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, "REHABCAST_HOME": str(home), "REHABCAST_DEVELOPMENT_TOKEN": TOKEN,
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "rehabcast", "serve", "--development", "--port", str(port)]
    log = folder / "service.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    served = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                httpx.get(f"{served}/healthz", timeout=2)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        assert process.poll() is None, log.read_text()
        yield served
    finally:
        process.terminate()
        process.wait(timeout=40)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: install Debian's chromium to walk the pages")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def tab_to(page: Page, selector: str) -> None:
    """Move with the tabulator until something is focused, as somebody without a mouse does."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by keyboard")


def sign_in(page: Page, address: str, person: str) -> None:
    page.goto(f"{address}/pages/sign-in?token={TOKEN}")
    tab_to(page, "#trial-person")
    page.keyboard.type(person)
    page.keyboard.press("Enter")
    page.wait_for_url("**/pages/patients")


def barriers(page: Page) -> list[str]:
    options = {"runOnly": {"type": "tag", "values": WCAG_AA}, "resultTypes": ["violations"]}
    response = Axe().run(page, options=options).response
    assert response["passes"], "axe-core looked at nothing"
    return [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in response["violations"]]


def test_a_clinicians_errand_by_keyboard(browser: Browser, address: str) -> None:
    page = browser.new_page()
    sign_in(page, address, "Ann Other")
    assert "Score became worse" in page.inner_text("main")
    tab_to(page, 'a[href$="/patients/P-2"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/patients/P-2")
    assert "No forecast" in page.inner_text("main")
    assert "look for what the patient lost the points to" in page.inner_text("main")
    page.go_back()
    tab_to(page, 'a[href$="/patients/P-1"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/patients/P-1")
    assert "8 of 10 people like this one" in page.inner_text("main")
    tab_to(page, "#feedback-outcome")
    page.keyboard.type("I plan otherwise")
    page.keyboard.press("Tab")
    page.keyboard.type("She fell last night.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/P-1?done=feedback")
    assert "Thank you" in page.inner_text("main")
    page.go_back()
    assert "8 of 10 people like this one" in page.inner_text("main")
    page.close()


def test_a_boards_errand_by_keyboard(browser: Browser, address: str) -> None:
    page = browser.new_page()
    sign_in(page, address, "Gus Board")
    page.goto(f"{address}{VERSION}")
    tab_to(page, "details.danger summary")
    page.keyboard.press("Enter")
    tab_to(page, "#revoke-reason")
    page.keyboard.type("Two wrong forecasts on one ward.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**?done=revoked")
    assert "out of service" in page.inner_text("main")
    page.close()


@pytest.mark.parametrize("language", ["en", "ur"])
def test_no_page_has_a_barrier_or_needs_scrolling_sideways(
    browser: Browser, address: str, language: str
) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/pages/language/{language}?back=/pages/sign-in")
    found = {"/pages/sign-in": barriers(page)}
    sign_in(page, address, "Ann Other")
    for path in PAGES:
        for width in (1280, 320):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            # Each reading takes a second or two: `make bench NAME=pages` reads all of them.
            if width == 320 or (path in BOTH_WAYS and language == "en"):
                found[f"{path} {width}"] = barriers(page)
        if path in BOTH_WAYS:
            page.emulate_media(media="print")
            found[f"{path} in print"] = barriers(page)
            page.emulate_media(media="screen")
    context.close()
    assert {path: faults for path, faults in found.items() if faults} == {}
