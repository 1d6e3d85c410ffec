"""What the pages cost: bytes of a patient's page, milliseconds of the service, barriers (axe-core).

A golden home's champion (SIMULATED people) is served; one patient has a year of daily data. The
baseline in the same run is the same forecast as JSON, by the service's own route. With
`--screenshots FOLDER` it also writes each page at two widths, in print, and in each language.
"""

from __future__ import annotations

import argparse
import gzip
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from contracts.observation import Observation
from serving.access.trust import DEVELOPMENT
from serving.pages.rendering import LANGUAGES
from serving.state.store import Store

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "rehabcast" / "golden_homes" / "2026-11-form-2.tar.xz"
CHROMIUM = Path("/usr/bin/chromium")
ARM, STEPS, HEART = "REHABCAST//FUGL_MEYER_UE", "LOINC//41950-7", "LOINC//40443-4"
WEAR = "REHABCAST//WEAR_TIME"
PATIENTS, YEAR, REPEATS = 1_000, 365, 40
WIDTHS = (320, 400, 1280)
WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
YEAR_OF_DATA, PATIENT = "/pages/patients/YEAR", "/pages/patients/COURSE"
"""Nobody was seen a year after the onset, so that one has no forecast; the other has."""

PAGES = {
    "caseload": "/pages/patients", "year": YEAR_OF_DATA, "patient": PATIENT,
    "family": f"{PATIENT}/family", "plans": f"{PATIENT}/whatif", "exercise": f"{PATIENT}/exercise",
    "new-patient": "/pages/new-patient", "import": "/pages/import", "practice": "/pages/practice",
    "case": "/pages/practice/5?guess=40", "governance": "/pages/governance",
    "version": "/pages/governance/arm/1", "served": "/pages/governance/served",
    "ledger": "/pages/governance/ledger", "bench": "/pages/bench", "operation": "/pages/operation",
}  # fmt: skip


def main() -> None:
    """Print the figures; write pictures where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screenshots", type=Path)
    folder = parser.parse_args().screenshots
    with tempfile.TemporaryDirectory() as temporary, served(Path(temporary)) as (address, token):
        if folder is None:
            costs(address, token)
        if CHROMIUM.exists():
            in_browser(address, token, folder)
        else:
            print(f"no browser at {CHROMIUM}: nothing was read by axe-core")


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str]]:
    """Serve a golden home with patients; yield its address and its token."""
    with tarfile.open(GOLDEN) as opened:
        opened.extractall(folder, filter="data")
    home = folder / "home"
    home.chmod(0o700)
    with closing(Store(f"sqlite:///{home / 'service.db'}")) as store:
        fill(store)
    token = secrets.token_urlsafe(24)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, "REHABCAST_HOME": str(home), "REHABCAST_DEVELOPMENT_TOKEN": token,
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "rehabcast", "serve", "--development", "--port", str(port)]
    with (folder / "service.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603
    try:
        address = f"http://127.0.0.1:{port}"
        while process.poll() is None:
            try:
                httpx.get(f"{address}/healthz", timeout=2)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield address, token
    finally:
        process.terminate()
        process.wait(timeout=40)


def fill(store: Store) -> None:
    """Put a caseload on record, and one patient with a year of daily data before the last weeks."""
    now = datetime.now(UTC)

    def add(subject: str, enrolled: int, values: list[tuple[str, int, float]]) -> None:
        observations = [Observation(code=c, day_since_onset=d, value=v) for c, d, v in values]
        store.add(DEVELOPMENT, subject, enrolled, observations, actor="bench", now=now)

    days = [day for day in range(YEAR) if not 200 <= day < 212]
    daily = [(STEPS, day, 2_000.0 + 7 * day + 137 * (day % 5)) for day in days]
    daily += [(HEART, day, 66.0 + day % 6) for day in days]
    daily += [(WEAR, day, 13.0 + day % 4) for day in days]
    scores = [(ARM, 300, 18.0), (ARM, 314, 24.0), (ARM, 328, 29.0), (ARM, 350, 33.0)]
    add("YEAR", 300, daily + scores)
    days = [day for day in range(6, 66) if not 30 <= day < 40]
    course = [(STEPS, day, 2_000.0 + 50 * day) for day in days]
    course += [(ARM, 6, 18.0), (ARM, 20, 25.0), (ARM, 34, 31.0), (ARM, 48, 34.0)]
    add("COURSE", 6, course)
    for number in range(2, PATIENTS):
        fell = 20.0 if number % 25 == 0 else 0.0
        base = float(10 + number % 40)
        add(f"P-{number:04d}", 6, [(ARM, 6, base + fell / 2), (ARM, 20, max(0.0, base - fell / 2))])


def costs(address: str, token: str) -> None:
    """Print bytes and milliseconds."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=address, timeout=60) as browser:
        browser.post("/pages/sign-in/trial", data={"person": "Bench", "password": token})
        for what, path in (("a year of daily data", YEAR_OF_DATA), ("a forecast", PATIENT)):
            page = browser.get(path)
            sent = len(gzip.compress(page.content, 5))
            linked = sum(
                int(
                    browser.get(each, headers={"accept-encoding": "gzip"}).headers["content-length"]
                )
                for each in sheets(page.text)
            )
            print(f"patient page, {what}: {sent + linked:,} bytes gzipped")
            print(f"  page {sent:,}, style sheets {linked:,} (kept by the browser), scripts 0")
        body = {"subject": "COURSE"}
        rows: dict[str, Callable[[], object]] = {
            "baseline: /v1/forecast of the same record": lambda: browser.post(
                "/v1/forecast", json=body, headers=headers
            ),
            "patient page, with its forecast": lambda: browser.get(PATIENT),
            "patient page, a year of daily data": lambda: browser.get(YEAR_OF_DATA),
            "caseload of 1,000, first page": lambda: browser.get("/pages/patients"),
        }
        first = time.perf_counter()
        browser.get("/pages/patients")
        print(f"caseload of {PATIENTS:,}, first look: {time.perf_counter() - first:.2f} s")
        for name, request in rows.items():
            request()
            print(f"{name}: p50 {milliseconds(request):.0f} ms")


def milliseconds(request: Any) -> float:
    """Return the median time of a request."""
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        request().raise_for_status()
        taken.append(1000 * (time.perf_counter() - began))
        time.sleep(0.05)
    return statistics.median(taken)


def sheets(page: str) -> list[str]:
    """Return the addresses of what a page loads."""
    return [part.split('"')[0] for part in page.split('href="')[1:] if "/assets/" in part[:20]]


def in_browser(address: str, token: str, folder: Path | None) -> None:
    """Print how many rules of axe-core the pages break, and write pictures."""
    broken, looked = 0, 0
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for language in LANGUAGES:
            page = chromium.new_page()
            page.goto(f"{address}/pages/language/{language}?back=/pages/sign-in")
            page.goto(f"{address}/pages/sign-in?token={token}")
            page.fill("#trial-person", "Dr. Amina Khan")
            page.click("main button[type=submit]")
            for name, path in PAGES.items():
                for width in (*WIDTHS, 0):
                    page.emulate_media(media="screen" if width else "print")
                    page.set_viewport_size({"width": width or 794, "height": 900})
                    page.goto(address + path)
                    if folder is not None:
                        picture = folder / f"{name}-{language}-{width or 'print'}.png"
                        page.screenshot(path=picture, full_page=True)
                        continue
                    options = {"runOnly": {"type": "tag", "values": WCAG_AA}}
                    found = Axe().run(page, options=options).response["violations"]
                    broken, looked = broken + len(found), looked + 1
                    for rule in found:
                        print(f"  {path} {language} {width or 'print'}: {rule['id']}")
            if folder is not None:
                picture_import(page, address, folder, language)
            page.close()
        chromium.close()
    if folder is None:
        print(f"axe-core, WCAG 2.2 AA: {broken} violations on {looked} views")
    else:
        print(f"pictures are in {folder}")


def picture_import(page: Page, address: str, folder: Path, language: str) -> None:
    """Write pictures of a table that is imported: what is asked, and what was understood."""
    onset = datetime.now(UTC).date() - timedelta(days=60)
    visits = [
        (f"T-{n}", onset + timedelta(days=d), 18 + n + d // 7) for n in (1, 2) for d in (8, 29)
    ]
    rows = [
        f"{who},{onset},{onset + timedelta(days=6)},{day},{score}" for who, day, score in visits
    ]
    table = "\n".join(["patient,onset,admission,visit date,Fugl-Meyer arm", *rows])
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{address}/pages/import")
    file = {"name": "ward.csv", "mimeType": "text/csv", "buffer": table.encode()}
    page.set_input_files("#import-file", file)  # type: ignore[arg-type]
    for step in ("look", "read"):
        page.click("main button[type=submit]")
        page.wait_for_url(f"**/import/{step}")
        page.screenshot(path=folder / f"import-{step}-{language}-1280.png", full_page=True)


if __name__ == "__main__":
    main()
