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
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import msgspec
import pandas as pd
import typer
from pydantic import SecretStr

from contracts.cohort import (
    CODE,
    ENROLMENT,
    NUMBER,
    ONSET,
    SUBJECT,
    SUBJECTS_FILE,
    TEXT,
    TIME,
    Cohort,
)
from contracts.errors import ContractError, EvidenceMissing, ServiceUnavailable
from rehabcast.commands.service.asking import (
    UrlOption,
    address_of,
    request_forecast,
    request_instruments,
    service_of,
)
from rehabcast.installation import require_private_installation, require_servable
from rehabcast.output import AsJson, emit, stderr_console
from rehabcast.settings import PREFIX, Settings
from stores.collection import without_collection

if TYPE_CHECKING:
    from serving.schemas import ForecastAnswer, ForecastRequest

START_SECONDS = 60.0

SubjectOption = Annotated[
    str,
    typer.Option(
        "--subject", help="Identifier of the subject as its source has it (subject_label)."
    ),
]
CohortOption = Annotated[Path, typer.Option("--cohort", help="Cohort folder with the record.")]
AsOfDay = Annotated[
    int | None,
    typer.Option(help="Use only what was known on this day after enrolment; by default all."),
]
TaskOption = Annotated[str, typer.Option(help="Which task, where the service has several.")]


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port to listen on.")] = None,
    development: Annotated[
        bool, typer.Option("--development", help="Accept a token generated now, on loopback only.")
    ] = False,
    shadow: Annotated[
        str | None,
        typer.Option(help="Version (NAME/N) that forecasts silently beside: shown to nobody."),
    ] = None,
) -> None:
    """Serve the champion until stopped; refuses to start without a verified, audited champion."""
    from serving.server.listening import stands_for_loopback
    from serving.server.run import serve as run_server

    # An option is checked like the setting that it takes the place of.
    options = {"host": host, "port": port, "shadow": shadow}
    settings = Settings(**{name: value for name, value in options.items() if value is not None})
    require_private_installation(settings)
    host, token = settings.host, settings.development_token
    is_new = development and token is None
    if is_new:
        token = SecretStr(secrets.token_urlsafe(24))
    if token is not None and not stands_for_loopback(host):
        raise ContractError(
            f"a development token is for loopback only, not for {host}",
            "set REHABCAST_ACCESS (docs/operations.md)",
        )
    require_servable(settings, token)
    written = None if token is None else token.get_secret_value()
    if is_new:
        stderr_console.print(f"For this machine only: export REHABCAST_TOKEN={written}")
        stderr_console.print(f"Pages: {pages_address(settings, written)}", soft_wrap=True)
    os.environ.update(service_environment(written, address_of(host, settings.port)))
    if settings.shadow is not None:
        os.environ[f"{PREFIX}SHADOW"] = settings.shadow
    from rehabcast.evidence.schedule import begin

    begin(settings)
    # In this process: another would take seconds to import the same again.
    raise typer.Exit(run_server(_application, host, settings.port))


def pages_address(settings: Settings, token: str | None) -> str:
    """Return the address at which a browser on this machine begins a trial of the pages."""
    return f"{address_of(settings.host, settings.port)}/pages/sign-in?token={token}"


def _application() -> Any:
    with without_collection():
        from rehabcast.application import service

    return service


def service_environment(token: str | None, address: str) -> dict[str, str]:
    """Return the environment of the service: that of this process, without telemetry.

    Where only a development token is taken, links lead to where the service listens.
    """
    quiet = {
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    here = {} if "REHABCAST_ACCESS" in os.environ else {"REHABCAST_PUBLIC_ADDRESS": address}
    development = {} if token is None else {"REHABCAST_DEVELOPMENT_TOKEN": token}
    return {**quiet, **(here if token else {}), **os.environ, **development}


@contextmanager
def running_service(port: int, log: Path, token: str) -> Iterator[str]:
    """Start the service on loopback for one token, yield its address once ready, and stop it.

    Raises
    ------
    ServiceUnavailable
        It stopped, or was not ready within `START_SECONDS`; `log` says why.
    """
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603  (our own command line)
            [
                sys.executable,
                "-m",
                "rehabcast",
                "serve",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=service_environment(token, address),
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
    raise ServiceUnavailable("the service did not become ready", f"see {log}")


def forecast(
    subject: SubjectOption,
    cohort: CohortOption,
    as_of_day: AsOfDay = None,
    weeks: Annotated[int | None, typer.Option(help="Which horizon to explain.")] = None,
    task: TaskOption = "",
    every_instrument: Annotated[
        bool, typer.Option("--every-instrument", help="Ask every model in service.")
    ] = False,
    url: UrlOption = None,
    as_json: AsJson = False,
) -> None:
    """Ask the running service for one subject's forecast, with its reasons."""
    from features.cohort import read_cohort

    settings = Settings()
    request = forecast_request(
        read_cohort(cohort), subject, as_of_day=as_of_day, weeks=weeks, task=task
    )
    # A person reads this one: what measuring again would tell is worth its milliseconds.
    request = msgspec.structs.replace(request, next_measurement=True)
    if every_instrument:
        from serving.formats.plain_text import instruments_as_plain_text

        answers = request_instruments(*service_of(settings, url), request)
        emit(answers, instruments_as_plain_text(answers), as_json=as_json)
        return
    print_forecast(request_forecast(*service_of(settings, url), request), as_json=as_json)


def print_forecast(answer: ForecastAnswer, *, as_json: bool) -> None:
    """Print a forecast, or why there is none."""
    from serving.formats.plain_text import as_plain_text

    emit(answer, as_plain_text(answer), as_json=as_json)


def forecast_request(
    cohort: Cohort, subject: str, *, as_of_day: int | None, weeks: int | None, task: str = ""
) -> ForecastRequest:
    """Return one subject's record as a request to the service.

    Parameters
    ----------
    subject
        The subject's identifier in the source; its number where the cohort knows no other.

    Raises
    ------
    EvidenceMissing
        The subject is not in the cohort.
    """
    from contracts.observation import Observation
    from serving.schemas import ForecastRequest

    number = cohort.subject_of(subject)
    if number is None:
        raise EvidenceMissing(
            f"subject {subject!r} is not in cohort {cohort.provenance.name!r}",
            f"use a subject_label of its {SUBJECTS_FILE}"
            if cohort.labels
            else "use a subject_id of the cohort's data",
        )
    record = cohort.events[cohort.events[SUBJECT] == number]
    dates = record.set_index(CODE)[TIME].dt.normalize()
    enrolment_day = (dates[ENROLMENT] - dates[ONSET]).days
    facts = record[~record[CODE].isin([ONSET, ENROLMENT])]
    day = (facts[TIME].dt.normalize() - dates[ONSET]).dt.days
    if as_of_day is not None:
        facts = facts[day.isna() | (day <= enrolment_day + as_of_day)]
    observations = [
        Observation(
            code=code,
            day_since_onset=None if pd.isna(time) else (time.normalize() - dates[ONSET]).days,
            value=None if pd.isna(number) else float(number),
            label=None if pd.isna(text) else text,
        )
        for code, time, number, text in zip(
            facts[CODE], facts[TIME], facts[NUMBER], facts[TEXT], strict=True
        )
    ]
    return ForecastRequest(
        subject=subject,
        task=task,
        enrolment_day=int(enrolment_day),
        observations=observations,
        as_of_day=None if as_of_day is None else int(enrolment_day) + as_of_day,
        explain_horizon_weeks=weeks,
    )


def print_next_steps() -> None:
    """Print what can be done after a demonstration."""
    stderr_console.print("Serve it again:      make serve (it prints the address of the pages)")
    stderr_console.print("See runs and models: .venv/bin/mlflow ui --backend-store-uri", end=" ")
    stderr_console.print(Settings().tracking_uri.without_credentials())
