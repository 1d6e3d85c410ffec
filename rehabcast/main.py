"""The command line: nouns of the work, one exit code per kind of error."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

import typer

from contracts.errors import CohortInvalid, RehabcastError

# Nothing we depend on may report to its makers from a hospital's network.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

from rehabcast.commands import (
    audit,
    benchmark,
    cohort,
    features,
    governance,
    ledger,
    record,
    service,
    training,
)
from rehabcast.commands.demo import demo

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Forecasts of functional recovery that a clinician can question, behind a fairness audit.",
)
app.add_typer(cohort.app, name="cohort")
app.add_typer(features.app, name="features")
app.command()(training.train)
app.command()(training.search)
app.command()(benchmark.benchmark)
app.command()(training.evaluate)
app.command()(audit.audit)
app.command()(governance.approve)
app.command()(governance.promote)
app.command()(governance.revoke)
app.command()(governance.rollback)
app.command()(service.serve)
app.command()(service.forecast)
app.add_typer(ledger.app, name="ledger")
app.add_typer(record.app, name="record")
app.command()(demo)


def run() -> None:
    """Run the command line; an error of ours becomes one message and its exit code."""
    try:
        app()
    except RehabcastError as error:
        if "--json" in sys.argv:
            sys.stdout.write(json.dumps(_record(error)) + "\n")
        sys.stderr.write(f"rehabcast: {error}\n")
        sys.exit(error.exit_code)


def _record(error: RehabcastError) -> dict[str, object]:
    record: dict[str, object] = {
        "error": type(error).__name__,
        "reason": error.reason,
        "what_to_do": error.what_to_do,
        "message": str(error),
    }
    if isinstance(error, CohortInvalid):
        record["problems"] = [asdict(problem) for problem in error.problems]
    return record
