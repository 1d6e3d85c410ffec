"""Every page of a report, read by axe-core in a real browser against WCAG 2.2, levels A and AA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PAGES = ("governance", "technical", "model-card")
WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
NARROW, WIDE = 400, 1280
"""Pixels: 1280 is what WCAG 1.4.10 calls the width at 100 %, 400 a telephone or a zoom of 300 %."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: install Debian's chromium to read the pages")
    with sync_playwright() as driver:
        # Chromium refuses its sandbox to root, which continuous integration is.
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def barriers(browser: Browser, address: str, width: int) -> list[str]:
    """Return the rules of axe-core that a page breaks, with the first place of each."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(address)
    options = {"runOnly": {"type": "tag", "values": WCAG_AA}, "resultTypes": ["violations"]}
    response = Axe().run(page, options=options).response
    page.close()
    assert response["passes"], "axe-core looked at nothing"
    return [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in response["violations"]]


@pytest.mark.parametrize(
    ("name", "width"), [*((name, NARROW) for name in PAGES), ("governance", WIDE)]
)
def test_a_page_has_no_barrier(browser: Browser, editions: Path, name: str, width: int) -> None:
    assert barriers(browser, (editions / f"{name}.html").as_uri(), width) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_no_scrolling_sideways(browser: Browser, editions: Path, name: str) -> None:
    """Wide tables scroll in a region of their own (WCAG 1.4.10)."""
    page = browser.new_page(viewport={"width": 320, "height": 900})
    page.goto((editions / f"{name}.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.close()


def test_barriers_put_there_are_found(browser: Browser, editions: Path, tmp_path: Path) -> None:
    text = (editions / "governance.html").read_text("utf-8")
    for before, after in (
        (' alt="', ' data-alt="'),
        ('<html lang="en"', "<html"),
        ("</style>", "p { color: #bbb !important; }</style>"),
    ):
        assert before in text
        text = text.replace(before, after)
    worse = tmp_path / "worse.html"
    worse.write_text(text, "utf-8")
    found = {barrier.partition(":")[0] for barrier in barriers(browser, worse.as_uri(), WIDE)}
    assert found == {"image-alt", "html-has-lang", "color-contrast"}
