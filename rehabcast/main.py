"""The command line: commands by the object they work on, one exit code per kind of error."""

from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import dataclass, field
from typing import NoReturn

import typer

from contracts.digests import PACKAGES
from contracts.errors import (
    CohortInvalid,
    ContractError,
    Problem,
    RehabcastError,
    ServiceUnavailable,
    TaskInvalid,
)
from rehabcast.user_home import library_environment
from stores.collection import without_collection

os.environ.update(library_environment())

with without_collection():
    from rehabcast.commands import (
        audit,
        cohort,
        evaluation,
        features,
        federate,
        governance,
        ledger,
        people,
        policy,
    )
    from rehabcast.commands.changes import plan, retrain
    from rehabcast.commands.demo import demo
    from rehabcast.commands.exercise import audit as exercise_audit
    from rehabcast.commands.exercise import groups, programme, recordings
    from rehabcast.commands.learning import benchmark, search, training
    from rehabcast.commands.proposals import task
    from rehabcast.commands.rules.options import check_options
    from rehabcast.commands.service import (
        access,
        backup,
        cds_clients,
        consent,
        monitor,
        record,
        serve,
        what_if,
    )
    from rehabcast.output import IF_PRESENT, as_record, say_error
    from rehabcast.redaction import clean_traceback, cleaner, install
    from rehabcast.settings import secrets_in_environment, use_site_vocabulary
    from stores.private_files import keep_private

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Forecasts of functional recovery that a clinician can question, behind a fairness audit.",
    callback=use_site_vocabulary,
)
app.add_typer(cohort.app, name="cohort")
app.add_typer(features.app, name="features")
app.add_typer(task.app, name="task")
for command in (
    recordings.train, exercise_audit.audit, recordings.enrol, recordings.recognise, groups.groups,
):  # fmt: skip
    programme.app.command()(command)
app.add_typer(programme.app, name="exercise")
app.command()(training.train)
app.command()(search.search)
app.command()(benchmark.benchmark)
app.command()(evaluation.evaluate)
app.command()(audit.audit)
app.add_typer(federate.app, name="federate")
app.add_typer(policy.app, name="policy")
app.add_typer(plan.app, name="plan")
app.command()(retrain.retrain)
app.command()(governance.approve)
app.command()(governance.promote)
app.command()(governance.revoke)
app.command()(governance.rollback)
app.command()(serve.serve)
app.command()(serve.forecast)
app.command()(what_if.whatif)
app.add_typer(ledger.app, name="ledger")
app.add_typer(people.app, name="people")
record.app.command()(consent.consent)
record.app.command()(consent.withdrawn)
app.add_typer(record.app, name="record")
app.add_typer(monitor.app, name="monitor")
app.command()(backup.backup)
app.command()(backup.restore)
access.app.command()(cds_clients.add_cds_client)
app.add_typer(access.app, name="access")
app.command()(demo)
check_options(app)


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
        Every problem of an invalid cohort or task file; None for other errors.
    """

    error: str
    reason: str
    what_to_do: str
    message: str
    problems: tuple[Problem, ...] | None = field(default=None, metadata=IF_PRESENT)


def run() -> None:
    """Run the command line; a `RehabcastError` becomes one message and its exit code.

    What it makes is its owner's alone, and no secret of its settings reaches a log or traceback.
    """
    keep_private()
    clean = cleaner(secrets_in_environment())
    install(clean)
    try:
        app()
    except Exception as error:
        refusal = _refusal(error)
        if refusal is not None:
            _exit_with(refusal)
        sys.stderr.write(clean_traceback(error, clean))
        sys.exit(1)


STORES = {
    "mlflow": "the registry (REHABCAST_TRACKING_URI)",
    "requests": "the registry (REHABCAST_TRACKING_URI)",
    "sqlalchemy": "a database (REHABCAST_LEDGER_URL, REHABCAST_STORE_URL, REHABCAST_TRACKING_URI)",
    "psycopg": "a database (REHABCAST_LEDGER_URL, REHABCAST_STORE_URL, REHABCAST_TRACKING_URI)",
    "httpx": "a server",
}
"""Libraries whose errors mean that what they talk to failed; their own words hold addresses."""

NO_MORE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says where a disk takes no more of a file, mostly without naming it."""


def _refusal(error: Exception) -> RehabcastError | None:
    """Return an error in words of ours; None for what can only be a fault of rehabcast."""
    if isinstance(error, RehabcastError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        return _not_installed(error.name.partition(".")[0])
    library = type(error).__module__.partition(".")[0]
    if library in STORES:
        return _store_failed(STORES[library], error)
    if isinstance(error, OSError) and (error.filename is not None or error.errno in NO_MORE):
        what = "a file" if error.filename is None else os.fsdecode(error.filename)
        how = "written" if error.errno in NO_MORE else "used"
        return ContractError(
            f"{what} cannot be {how} ({error.strerror})",
            "check the path, its permissions, and that its disk has space",
        )
    return None


def _not_installed(library: str) -> RehabcastError | None:
    """Return an error for a library of others that is not here, as where only the service is."""
    if library in PACKAGES or library in sys.stdlib_module_names:
        return None
    return ContractError(
        f"this needs {library}, which is not installed here",
        "run it where everything is installed (`make setup`); where only the service is"
        " (deploy/runtime.lock) nothing trains or audits",
    )


def _store_failed(what: str, error: Exception) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"{what} failed ({type(error).__name__})",
        "check that it runs, and its address and password",
    )


def _exit_with(error: RehabcastError) -> NoReturn:
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
        problems=error.problems if isinstance(error, CohortInvalid | TaskInvalid) else None,
    )
