"""`rehabcast plan`: write, check, register, approve and show the change plan of a model's line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from contracts.errors import ContractError, EvidenceMissing
from rehabcast.commands.governance import ModelArgument, Reason
from rehabcast.output import AsJson, emit, stderr_console
from rehabcast.settings import Settings
from stores.private_files import written_whole

if TYPE_CHECKING:
    from audits.changes.plan import ChangePlan
    from audits.ledger.changes.book import PlanRecord
    from audits.ledger.ledger import Ledger
    from contracts.task import Task

app = typer.Typer(
    no_args_is_help=True,
    help="Which later versions of a model may follow without a new plan: write, approve, show.",
)

PlanFile = Annotated[Path, typer.Argument(help="TOML file of a change plan.")]
TaskOption = Annotated[
    Path | None, typer.Option("--task", help="Task file whose models the plan is meant for.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWritten:
    """A new plan file, and what to do with it."""

    path: Path
    line: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChecked:
    """A sound plan.

    Parameters
    ----------
    changes
        The kinds of change that it allows.
    not_planned
        The kinds that it does not name, which are refused.
    criteria
        What each criterion asks, in words.
    """

    line: str
    version: str
    digest: str
    changes: tuple[str, ...]
    not_planned: tuple[str, ...]
    criteria: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanState:
    """A plan on record.

    Parameters
    ----------
    line, version, digest, entry
        Which, and the number of its entry in the ledger.
    registered_by, registered_at
        By whom and when.
    approved_by
        Who has approved it so far, by role.
    in_force
        Whether both have.
    plan
        Its content.
    """

    line: str
    version: str
    digest: str
    entry: int
    registered_by: str
    registered_at: str
    approved_by: Mapping[str, str]
    in_force: bool
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlansShown:
    """The plan in force of a line, and the last one registered where that is another."""

    line: str
    in_force: PlanState | None
    waiting: PlanState | None


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="TOML file to write.")],
    line: Annotated[str, typer.Option("--line", help="NAME of the registered model.")],
    as_json: AsJson = False,
) -> None:
    """Write a plan with an example of each part to a file, to be changed."""
    from audits.changes.authored import load_plan
    from audits.changes.plan import EXAMPLE
    from contracts.naming.model_version import model_name

    name = model_name(line)
    text = EXAMPLE.read_text("utf-8")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    text = text.replace('line = "arm"', f'line = "{quoted}"', 1)
    with written_whole(file, new=True) as draft:
        draft.write_text(text, "utf-8")
    plan = load_plan(file)
    written = PlanWritten(path=file, line=plan.line, digest=plan.digest)
    advice = f"{file}: write your own changes and limits, then run: rehabcast plan check {file}"
    emit(written, escape(advice), as_json=as_json)


@app.command()
def check(file: PlanFile, task: TaskOption = None, as_json: AsJson = False) -> None:
    """Name every mistake of a plan, what it allows, and what it refuses by not naming it."""
    from audits.changes.authored import load_plan
    from audits.changes.wording import criterion_in_words
    from contracts.changes.difference import ChangeKind
    from training.task import read_task

    plan = load_plan(file)
    if task is not None:
        _require_fit(file, plan, read_task(task), str(task))
    checked = PlanChecked(
        line=plan.line,
        version=plan.version,
        digest=plan.digest,
        changes=tuple(change.kind for change in plan.changes),
        not_planned=tuple(kind for kind in ChangeKind if plan.change(kind) is None),
        criteria=tuple(map(criterion_in_words, plan.criteria)),
    )
    title = f"The plan of {plan.line}, version {plan.version}, is sound ({plan.digest[:12]})"
    table = Table("part", "what", title=title, show_lines=True)
    table.add_row("allowed", ", ".join(checked.changes))
    table.add_row("refused, because not named", ", ".join(checked.not_planned) or "nothing")
    for criterion in checked.criteria:
        table.add_row("criterion", escape(criterion))
    emit(checked, table, as_json=as_json)


def _require_fit(file: Path, plan: ChangePlan, task: Task, what: str) -> None:
    from audits.changes.plan import misfits

    if faults := misfits(plan, task):
        raise ContractError(
            f"{file}: does not fit {what}: {'; '.join(faults)}", "correct the plan or the task"
        )


@app.command()
def register(file: PlanFile, task: TaskOption = None, as_json: AsJson = False) -> None:
    """Put a plan on record; it is in force once two different people have approved it."""
    from audits.changes.authored import load_plan
    from audits.ledger.changes.plans import register_plan
    from rehabcast.auditing.mirroring import bound_registry_calls
    from rehabcast.identity import actor_of, open_ledger, say_if_trial
    from training.task import read_task

    bound_registry_calls()
    settings, plan = Settings(), load_plan(file)
    ledger = open_ledger(settings)
    if task is not None:
        _require_fit(file, plan, read_task(task), str(task))
    elif (served := _task_in_service(settings, ledger, plan.line)) is not None:
        _require_fit(file, plan, served, f"the version of {plan.line} that is in service")
    record = register_plan(
        ledger.engine, plan, actor=actor_of(settings, ledger), now=datetime.now(UTC),
        identities=ledger.identities,
    )  # fmt: skip
    say_if_trial(ledger)
    message = (
        f"The plan of {plan.line}, version {plan.version}, is registered (entry"
        f" {record.entry.sequence}, {plan.digest[:12]})."
    )
    emit(_state(record), escape(message), as_json=as_json)
    if not as_json:
        step = f"rehabcast plan approve {file} --role ROLE --reason TEXT"
        stderr_console.print(f"Next, by two different people: {escape(step)}")


def _task_in_service(settings: Settings, ledger: Ledger, line: str) -> Task | None:
    """Return the task of a line's champion; None where it has none."""
    from rehabcast.signed_artifacts import open_description
    from training.registry.model_versions import find

    try:
        champion = ledger.champion(line)
    except EvidenceMissing:
        return None
    return open_description(settings, find(settings.store, champion.model_version)).task


@app.command()
def approve(
    file: PlanFile,
    role: Annotated[str, typer.Option(help="ml-owner or governance.")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Approve the plan that was registered last, after reading it; two different people must."""
    from audits.changes.authored import load_plan
    from audits.ledger.changes.plans import approve_plan
    from audits.ledger.records import Role
    from rehabcast.identity import actor_of, open_ledger, say_if_trial

    if role not in set(Role):
        raise ContractError(f"{role!r} is not a role", f"use --role {' or --role '.join(Role)}")
    settings, plan = Settings(), load_plan(file)
    ledger = open_ledger(settings)
    person = actor_of(settings, ledger)
    record = approve_plan(
        ledger.engine, plan, Role(role), person=person, reason=reason, now=datetime.now(UTC),
        identities=ledger.identities,
    )  # fmt: skip
    say_if_trial(ledger)
    state = "It is in force." if record.is_approved else "The other role has still to approve it."
    message = (
        f"{person} approved the plan of {plan.line}, version {plan.version}, as {role}. {state}"
    )
    emit(_state(record), escape(message), as_json=as_json)


@app.command()
def show(model: ModelArgument, as_json: AsJson = False) -> None:
    """Show the plan in force of a model's line, and one that still waits for approval."""
    from audits.changes.wording import criterion_in_words
    from audits.ledger.changes.plans import read_book
    from rehabcast.identity import open_ledger

    book = read_book(open_ledger(Settings()).engine)
    in_force, last = book.in_force(model), book.registered(model)
    if last is None:
        raise EvidenceMissing(
            f"{model!r} has no change plan", "write one with `rehabcast plan new FILE --line NAME`"
        )
    shown = PlansShown(
        line=last.plan.line,
        in_force=None if in_force is None else _state(in_force),
        waiting=None if last.is_approved else _state(last),
    )
    table = Table("part", "what", title=f"Change plan of {last.plan.line}", show_lines=True)
    for record in filter(None, (in_force, None if last.is_approved else last)):
        plan = record.plan
        by = ", ".join(f"{e.actor} ({role})" for role, e in record.approvals.items()) or "nobody"
        state = "in force" if record.is_approved else "waits for approval"
        table.add_row(escape(f"version {plan.version}"), escape(f"{state}; approved by {by}"))
        for change in plan.changes:
            table.add_row(change.kind, escape(f"{change.description}\nTest: {change.test}"))
        for criterion in plan.criteria:
            table.add_row("criterion", escape(criterion_in_words(criterion)))
        table.add_row("retrain when", escape("\n".join(plan.retrain_when.conditions)))
        rollback = "\n".join((*plan.rollback.conditions, f"How: {plan.rollback.how}"))
        table.add_row("roll back when", escape(rollback))
    emit(shown, table, as_json=as_json)


def _state(record: PlanRecord) -> PlanState:
    return PlanState(
        line=record.plan.line,
        version=record.plan.version,
        digest=record.plan.digest,
        entry=record.entry.sequence,
        registered_by=record.entry.actor,
        registered_at=record.entry.time,
        approved_by={role: entry.actor for role, entry in record.approvals.items()},
        in_force=record.is_approved,
        plan=record.plan.model_dump(mode="json"),
    )
