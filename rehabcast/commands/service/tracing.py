"""`rehabcast monitor trace` and `traced`: whom to find of the lost, and what came of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from rehabcast.commands.service.record import Tenant, opened
from rehabcast.output import AsJson, emit, stderr_console
from rehabcast.settings import Settings
from stores.private_files import written_whole

Name = Annotated[
    str, typer.Argument(help="Model, for its champion; or NAME/N, such as of a shadow.")
]

FIRST_SHARE = 0.3
"""Of the lost, where none is given: with fewer, the error of what is learned is too great."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsWritten:
    """A list of people to be found.

    Parameters
    ----------
    calls
        CSV file, which only its owner can read.
    share
        Chance with which each of the lost was drawn.
    people
        How many are in the list.
    """

    calls: Path
    share: float
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundOnRecord:
    """How many scores of people who were found are on record from a list."""

    people: int


def trace(
    name: Name,
    tenant: Tenant,
    output: Annotated[
        Path,
        typer.Option(help="CSV file to write; must not exist yet, and only its owner can read it."),
    ],
    share: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1.0,
            help="Chance with which each of the lost is drawn; kept from the first draw on, 0.3 if"
            " none is given then.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a random share of those whose outcome is lost, and write whom to find of a tenant.

    Each is drawn once, when the week of the outcome closes. The list is of patients: it is for
    those who may call them. Read it with `rehabcast monitor traced` when it is filled in.
    """
    from rehabcast.evidence.lost.calls import handed_out
    from rehabcast.evidence.running import run as run_monitoring
    from rehabcast.evidence.watched import watched
    from rehabcast.identity import actor_of, open_ledger
    from serving.state.entries import require_tenant
    from serving.state.evidence.tracing import begin

    settings, now = Settings(), datetime.now(UTC)
    with closing(open_ledger(settings)) as ledger, opened(settings) as store:
        require_tenant(store.engine, tenant)
        version = watched(settings, ledger, name)
        followed, actor = version.followed, actor_of(settings, ledger)
        # The draft is there before anybody is drawn, or on record as handed out.
        with written_whole(output, new=True) as draft:
            tracing = begin(store, followed.service, followed.terms, share, FIRST_SHARE, now.date())
            run_monitoring(store, ledger, version, act=False, actor=actor, now=now)
            calls, people = handed_out(store, version, tenant, actor=actor, now=now)
            draft.write_text(calls, "utf-8")
    emit(
        CallsWritten(calls=output, share=tracing.share, people=people),
        f"{people} people to find, of a random {tracing.share:.0%} of the lost: {output}",
        as_json=as_json,
    )
    if not as_json:
        stderr_console.print(
            "Fill in score, and under day the day after enrolment that it holds for, of who is"
            f" found; then rehabcast monitor traced {escape(name)} {escape(str(output))} --tenant"
            f" {escape(tenant)}"
            if people
            else "Nobody of this tenant is to be found now: ask again when another week has closed."
        )


def traced(
    name: Name,
    calls: Annotated[Path, typer.Argument(help="The list of `monitor trace`, filled in.")],
    tenant: Tenant,
    as_json: AsJson = False,
) -> None:
    """Put the scores of those who were found on record; rows without a score are left out."""
    from rehabcast.evidence.lost.calls import put_on_record
    from rehabcast.evidence.watched import watched
    from rehabcast.identity import actor_of, open_ledger
    from serving.state.entries import require_tenant

    settings, now = Settings(), datetime.now(UTC)
    with closing(open_ledger(settings)) as ledger, opened(settings) as store:
        require_tenant(store.engine, tenant)
        version = watched(settings, ledger, name)
        people = put_on_record(
            store, version, tenant, calls, actor=actor_of(settings, ledger), now=now
        )
    emit(
        FoundOnRecord(people=people),
        f"Scores of {people} people are on record."
        if people
        else "No row has a score: nothing was put on record.",
        as_json=as_json,
    )
