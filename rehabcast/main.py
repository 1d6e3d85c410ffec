"""The command line: commands by the object they work on, one exit code per kind of error."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field

import typer

from contracts.errors import CohortInvalid, Problem, RehabcastError

# No dependency may report to its makers from a hospital's network.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

from rehabcast.commands import (
    audit,
    benchmark,
    cohort,
    evaluation,
    features,
    governance,
    ledger,
    people,
    training,
)
from rehabcast.commands.demo import demo
from rehabcast.commands.service import backup, record, serve
from rehabcast.output import IF_PRESENT, as_record, say_error

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
app.command()(evaluation.evaluate)
app.command()(audit.audit)
app.command()(governance.approve)
app.command()(governance.promote)
app.command()(governance.revoke)
app.command()(governance.rollback)
app.command()(serve.serve)
app.command()(serve.forecast)
app.add_typer(ledger.app, name="ledger")
app.add_typer(people.app, name="people")
app.add_typer(record.app, name="record")
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(demo)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorResult:
    """What `--json` prints where a command fails.

    Parameters
    ----------
    error
        Name of the error's class (`contracts.errors`).
    reason, what_to_do, message
        What is wrong, what to do, and both as people read them.
    problems
        Every problem of an invalid cohort; None for other errors.
    """

    error: str
    reason: str
    what_to_do: str
    message: str
    problems: tuple[Problem, ...] | None = field(default=None, metadata=IF_PRESENT)


def run() -> None:
    """Run the command line; a `RehabcastError` becomes one message and its exit code."""
    try:
        app()
    except RehabcastError as error:
        if "--json" in sys.argv:
            sys.stdout.write(json.dumps(as_record(error_result(error))) + "\n")
        say_error(str(error))
        sys.exit(error.exit_code)


def error_result(error: RehabcastError) -> ErrorResult:
    """Return an error's facts."""
    return ErrorResult(
        error=type(error).__name__,
        reason=error.reason,
        what_to_do=error.what_to_do,
        message=str(error),
        problems=error.problems if isinstance(error, CohortInvalid) else None,
    )
