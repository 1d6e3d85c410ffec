"""`rehabcast serve` and `forecast`."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pandas as pd
import typer

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, Cohort
from contracts.errors import ContractError, EvidenceMissing, RehabcastError, ServiceUnavailable
from rehabcast.commands.output import AsJson, emit, words
from rehabcast.settings import Settings

START_SECONDS = 60.0
ANSWER_SECONDS = 30.0


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    development: Annotated[
        bool, typer.Option("--development", help="Take a token made up now, on loopback only.")
    ] = False,
) -> None:
    """Serve the champion until stopped; refuses to start without a verified, audited champion."""
    settings = Settings()
    host = host or settings.host
    token = settings.development_token
    if development and token is None:
        token = secrets.token_urlsafe(24)
        words.print(f"For this machine only: export REHABCAST_TOKEN={token}")
    if token is not None and host not in {"127.0.0.1", "::1", "localhost"}:
        raise ContractError(
            f"a development token is for loopback only, not for {host}: set REHABCAST_ACCESS"
            " (docs/operations.md)"
        )
    command = serve_command(host, settings.port if port is None else port)
    sys.stdout.flush()
    os.execve(command[0], command, service_environment(token))  # noqa: S606  (our own command)


def serve_command(host: str, port: int) -> list[str]:
    """Return the command line that serves the champion."""
    return [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        "rehabcast.application:service",
        "--host",
        host,
        "--port",
        str(port),
    ]


def service_environment(token: str | None) -> dict[str, str]:
    """Return the environment of the service: ours, without telemetry."""
    quiet = {
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # A registry that hangs must not keep the service from seeing a revocation for minutes.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    }
    development = {} if token is None else {"REHABCAST_DEVELOPMENT_TOKEN": token}
    return {**quiet, **os.environ, **development}


@contextmanager
def running_service(port: int, log: Path, token: str) -> Iterator[str]:
    """Start the service on loopback for one token, yield its address once ready, and stop it.

    Raises
    ------
    ServiceUnavailable
        It ended, or was not ready within `START_SECONDS`; `log` says why.
    """
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603  (our own command line)
            serve_command("127.0.0.1", port),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=service_environment(token),
        )
        try:
            _wait_until_ready(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{address}/readyz", timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise ServiceUnavailable(f"the service did not become ready: see {log}")


def forecast(
    subject: Annotated[int, typer.Option("--subject", help="Subject id in the cohort.")],
    cohort: Annotated[Path, typer.Option("--cohort", help="Cohort folder with the record.")],
    as_of_day: Annotated[
        int | None,
        typer.Option(help="Use only what was known on this day after enrolment; default, all."),
    ] = None,
    weeks: Annotated[int | None, typer.Option(help="Horizon to explain.")] = None,
    url: Annotated[str | None, typer.Option(help="Address of the service.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the running service for one subject's forecast, with its reasons."""
    from features.cohort import read_cohort

    settings = Settings()
    request = forecast_request(read_cohort(cohort), subject, as_of_day=as_of_day, weeks=weeks)
    address = url or f"http://{settings.host}:{settings.port}"
    show_forecast(ask(address, request, settings.token), as_json=as_json)


def show_forecast(answer: dict[str, Any], *, as_json: bool) -> None:
    """Print an answer of the service."""
    import msgspec

    from serving.formats.plain_text import as_plain_text
    from serving.schemas import ForecastAnswer

    emit(answer, as_plain_text(msgspec.convert(answer, ForecastAnswer)), as_json=as_json)


def ask(address: str, request: dict[str, Any], token: str | None) -> dict[str, Any]:
    """Post a request to the service.

    Raises
    ------
    ServiceUnavailable
        Nothing answers at the address.
    RehabcastError
        The service refused the request.
    """
    try:
        answer = httpx.post(
            f"{address}/v1/forecast",
            json=request,
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
            timeout=ANSWER_SECONDS,
        )
    except httpx.TransportError as error:
        raise ServiceUnavailable(
            f"no service answers at {address}: start it with `rehabcast serve`"
        ) from error
    if answer.status_code != httpx.codes.OK:
        raise RehabcastError(f"the service refused ({answer.status_code}): {answer.text}")
    record: dict[str, Any] = answer.json()
    return record


def forecast_request(
    cohort: Cohort, subject: int, *, as_of_day: int | None, weeks: int | None
) -> dict[str, Any]:
    """Write one subject's record as the service's request.

    Raises
    ------
    EvidenceMissing
        The subject is not in the cohort.
    """
    record = cohort.events[cohort.events[SUBJECT] == subject]
    if record.empty:
        raise EvidenceMissing(f"subject {subject} is not in cohort {cohort.provenance.name!r}")
    dates = record.set_index(CODE)[TIME].dt.normalize()
    enrolment_day = (dates[ENROLMENT] - dates[ONSET]).days
    facts = record[~record[CODE].isin([ONSET, ENROLMENT])]
    day = (facts[TIME].dt.normalize() - dates[ONSET]).dt.days
    if as_of_day is not None:
        facts = facts[day.isna() | (day <= enrolment_day + as_of_day)]
    observations = [
        {
            "code": code,
            "day_since_onset": None if pd.isna(time) else (time.normalize() - dates[ONSET]).days,
            "value": None if pd.isna(number) else float(number),
            "label": None if pd.isna(text) else text,
        }
        for code, time, number, text in zip(
            facts[CODE], facts[TIME], facts[NUMBER], facts[TEXT], strict=True
        )
    ]
    return {
        "subject": str(subject),
        "enrolment_day": int(enrolment_day),
        "observations": observations,
        "explain_horizon_weeks": weeks,
    }


def say_how_to_serve() -> None:
    """Tell how to go on after a demonstration."""
    words.print("Serve it again:      make serve")
    words.print("See runs and models: .venv/bin/mlflow ui --backend-store-uri", end=" ")
    words.print(Settings().tracking_uri)
