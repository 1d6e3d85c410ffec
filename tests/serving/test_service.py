"""A real server process on loopback, asked as a client would."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from serving.bundle import verify_bundle
from serving.screening import LARGEST_BODY

CANARY = "CANARY-7c1e"
SCORE = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
REQUEST = {"subject": "P-1", "enrolment_day": 10, "observations": [SCORE]}

APPLICATION = """
from datetime import UTC, datetime
from pathlib import Path
from contracts.verdict import Outcome
from serving.bundle import load_bundle
from serving.respond import Served, Standing
from serving.service import build_service

def load():
    bundle = load_bundle(Path({folder!r}), expected_digest={digest!r})
    standing = Standing(model_version="arm/1", report_digest="r", outcome=Outcome.PASS,
        valid_until=datetime(2100, 1, 1, tzinfo=UTC), approver=None, reason=None)
    return Served(bundle=bundle, standing=standing)

service = build_service(load)
"""


@contextmanager
def serving(place: Path, folder: Path, digest: str) -> Iterator[tuple[str, Path]]:
    (place / "application.py").write_text(APPLICATION.format(folder=str(folder), digest=digest))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = place / "service.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bentoml",
                "serve",
                "application:service",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ],
            cwd=place,
            env={**os.environ, "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(place / "b")},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{port}", log
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def ready(address: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/readyz", timeout=2).status_code == 200:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    return False


@pytest.fixture(scope="module")
def service(
    bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    place = tmp_path_factory.mktemp("service")
    with serving(place, bundle_folder, verify_bundle(bundle_folder)) as (address, log):
        assert ready(address, 60), log.read_text()
        yield address, log


def test_a_forecast_is_answered_over_http(service: tuple[str, Path]) -> None:
    answered = httpx.post(f"{service[0]}/forecast", json=REQUEST, timeout=30)
    assert answered.status_code == 200
    assert answered.json()["status"] == "forecast"
    assert len(answered.json()["horizons"]) == 6


def test_probes_and_metrics_answer(service: tuple[str, Path]) -> None:
    for route in ("/livez", "/readyz", "/metrics"):
        assert httpx.get(f"{service[0]}{route}").status_code == 200
    assert "bentoml_service_request" in httpx.get(f"{service[0]}/metrics").text


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.bentoml+pickle",
        "application/octet-stream",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
    ],
)
@pytest.mark.parametrize("route", ["/forecast", "/", "/livez", "/anything"])
def test_only_json_is_taken_on_any_route(service: tuple[str, Path], route: str, kind: str) -> None:
    bomb = b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00."
    answered = httpx.post(f"{service[0]}{route}", content=bomb, headers={"Content-Type": kind})
    assert answered.status_code == 415


@pytest.mark.parametrize("second", ["application/json", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("first", ["multipart/form-data; boundary=x", "application/json"])
def test_two_content_types_are_refused_in_either_order(
    service: tuple[str, Path], first: str, second: str
) -> None:
    headers = [("Content-Type", first), ("Content-Type", second)]
    answered = httpx.post(f"{service[0]}/forecast", content=b"{}", headers=headers)
    assert answered.status_code == 415


def test_a_body_over_the_limit_is_refused_even_when_its_length_is_not_told(
    service: tuple[str, Path],
) -> None:
    large = b'{"subject": "' + b"x" * LARGEST_BODY + b'"}'
    headers = {"Content-Type": "application/json"}
    told = httpx.post(f"{service[0]}/forecast", content=large, headers=headers)

    def parts() -> Iterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    untold = httpx.post(f"{service[0]}/forecast", content=parts(), headers=headers)
    assert told.status_code == untold.status_code == 413


def test_a_malformed_request_is_refused_and_a_bad_record_gets_no_forecast(
    service: tuple[str, Path],
) -> None:
    def post(content: str) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return httpx.post(f"{service[0]}/forecast", content=content, headers=headers)

    assert post(
        '{"subject": "P-1", "enrolment_day": 10, "observations": [{"code": "X", "value": NaN}]}'
    ).status_code in {400, 422}
    assert post("{").status_code in {400, 422}
    assert post('{"extra": 1}').status_code in {400, 422}
    unknown = {**REQUEST, "observations": [{**SCORE, "code": "X//Y"}]}
    refused = httpx.post(f"{service[0]}/forecast", json=unknown)
    assert refused.status_code == 200
    assert refused.json()["status"] == "no forecast"


def test_no_value_of_a_request_reaches_the_log(service: tuple[str, Path]) -> None:
    address, log = service
    accepted = {**REQUEST, "subject": CANARY}
    unknown = {**REQUEST, "observations": [{**SCORE, "code": CANARY}]}
    rejected = {**REQUEST, "subject": f"{CANARY} with spaces", CANARY: CANARY}
    for record in (accepted, unknown, rejected):
        httpx.post(f"{address}/forecast", json=record, timeout=30)
    time.sleep(0.5)
    text = log.read_text()
    assert "path=/forecast" in text
    assert CANARY not in text


def test_a_service_that_can_not_load_its_champion_never_becomes_ready(
    bundle_folder: Path, tmp_path: Path
) -> None:
    with serving(tmp_path, bundle_folder, "0" * 64) as (address, log):
        assert not ready(address, 12)
        assert "was audited and promoted" in log.read_text()
