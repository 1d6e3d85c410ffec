"""`rehabcast demo`: every step once, from a cohort to an explained forecast."""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from audits.ledger.records import Override
from contracts.cohort import CODE, ENROLMENT, NUMBER, SUBJECT, TIME, Cohort
from contracts.task import Task
from rehabcast.auditing.decisions import run_approval, run_promotion
from rehabcast.cohort_table import cohort_table, valid_cohort
from rehabcast.commands.audit import run_audit
from rehabcast.commands.learning.training import (
    SHIPPED_TASKS,
    TaskOption,
    parameters_of,
    run_training,
)
from rehabcast.commands.service.asking import request_forecast
from rehabcast.commands.service.caseload import put_caseload
from rehabcast.commands.service.serve import (
    forecast_request,
    print_forecast,
    print_next_steps,
    running_service,
    serve,
)
from rehabcast.commands.verdict_table import verdict_table
from rehabcast.output import stderr_console, stdout_console
from rehabcast.settings import Settings

SUBJECTS, SEED, FOLDS, EPOCHS = 300, 0, 3, 25
"""Few enough for a laptop's first minute; a model for use is trained with the defaults."""
TASK = SHIPPED_TASKS / "stroke-upper-limb.toml"


def demo(
    cohort: Annotated[
        Path | None,
        typer.Option("--cohort", help="Your cohort folder; by default a SIMULATED cohort of 300."),
    ] = None,
    task: TaskOption = TASK,
    pages: Annotated[
        bool | None,
        typer.Option(
            "--pages/--no-pages",
            help="End by serving the pages with the SIMULATED caseload, as on a terminal.",
        ),
    ] = None,
) -> None:
    """Run every step once: validate, train, audit, promote, serve, and request one forecast."""
    from features.cohort import read_cohort
    from training.task import read_task

    settings = Settings()
    forecast_task = read_task(task)
    folder = cohort if cohort is not None else _simulated_cohort(settings.home / "demo")
    demo_cohort = read_cohort(folder)
    checked = valid_cohort(demo_cohort, folder)
    stdout_console.print(cohort_table(checked.summary, checked.rules))

    stderr_console.print(
        f"Training {FOLDS} small networks, then an audit of every group: about two minutes on two"
        " cores."
    )
    quick = replace(parameters_of(None, SEED), folds=FOLDS, max_epochs=EPOCHS)
    trained = run_training(folder, task, forecast_task.name, quick)
    version = trained.model_version
    stderr_console.print(f"Registered candidate {version}.")

    verdict = run_audit(version).verdict
    stdout_console.print(verdict_table(verdict))
    stderr_console.print(
        "Two people must approve; the demonstration plays both, and the ledger says so."
    )
    for role in ("ml-owner", "governance"):
        run_approval(
            version, role, person=f"make demo, as {role}", reason="demonstration, nobody read it"
        )
    if verdict.outcome.is_pass:
        run_promotion(version)
    else:
        stderr_console.print(
            "The gate holds this model back. To show the rest, the demonstration overrides it by"
            " name, and every forecast will show the override."
        )
        run_promotion(
            version,
            override=Override(
                approver="make demo",
                reason="demonstration only, not for anyone's care",
                until=datetime.now(UTC) + timedelta(days=1),
                restricted_use="this demonstration, on simulated or public data",
            ),
        )
    stderr_console.print(f"{version} is the champion.")

    subject = _unseen_subject(version, demo_cohort, forecast_task)
    request = forecast_request(
        demo_cohort, demo_cohort.label(subject), as_of_day=forecast_task.origins_days[0], weeks=None
    )
    stderr_console.print(
        f"Starting the service to request a forecast for subject {demo_cohort.label(subject)}, who"
        " was held out of training ..."
    )
    token = secrets.token_urlsafe(24)
    with running_service(_free_port(), settings.home / "demo-service.log", token) as address:
        answer = request_forecast(address, token, request)
    print_forecast(answer, as_json=False)
    stdout_console.print(_later_scores(demo_cohort, subject, forecast_task))
    if demo_cohort.provenance.simulated:
        people = put_caseload(settings, demo_cohort, _unseen(version), "make demo")
        stderr_console.print(f"{people} SIMULATED patients whom the model never saw are on record.")
    print_next_steps()
    if sys.stderr.isatty() if pages is None else pages:
        stderr_console.print("Serving the pages until you stop it (Ctrl-C). Open their address:")
        serve(development=True)


def _simulated_cohort(parent: Path) -> Path:
    from features.simulate.scenario import Scenario
    from features.simulate.truth import truth_folder
    from features.simulate.write import write_simulated

    folder = parent / "simulated-cohort"
    for old in (folder, truth_folder(folder)):
        shutil.rmtree(old, ignore_errors=True)
    parent.mkdir(parents=True, exist_ok=True)
    write_simulated(folder, subjects=SUBJECTS, seed=SEED, scenario=Scenario())
    return folder


def _unseen(version: str) -> list[int]:
    """Return the subjects that were held out of training."""
    import meds

    from training.registry.model_versions import SPLITS_FILE, fetch, find

    store = Settings().store
    splits = pd.read_parquet(fetch(store, find(store, version), SPLITS_FILE))
    held_out: list[int] = splits.loc[splits["split"] == meds.held_out_split, SUBJECT].tolist()
    return held_out


def _unseen_subject(version: str, cohort: Cohort, task: Task) -> int:
    """Pick a held-out subject, the one with most later scores to compare the forecast with."""
    events = cohort.events
    scores = events[events[SUBJECT].isin(_unseen(version)) & (events[CODE] == task.target.code)]
    subjects, counts = np.unique(scores[SUBJECT].to_numpy(), return_counts=True)
    return int(subjects[counts.argmax()])


def _later_scores(cohort: Cohort, subject: int, task: Task) -> str:
    """Return the scores observed after the forecast, to compare it with."""
    events = cohort.events[cohort.events[SUBJECT] == subject]
    enrolment = events.loc[events[CODE] == ENROLMENT, TIME].iloc[0]
    scores = events[(events[CODE] == task.target.code) & (events[TIME] > enrolment)]
    weeks = (scores[TIME] - enrolment).dt.days / 7
    observed = ", ".join(
        f"week {week:.0f}: {score:g}" for week, score in zip(weeks, scores[NUMBER], strict=True)
    )
    label = "SIMULATED outcomes" if cohort.provenance.simulated else "What was observed later"
    return f"{label}, not shown to the model: {observed or 'nothing'}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
