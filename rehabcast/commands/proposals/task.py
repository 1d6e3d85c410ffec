"""`rehabcast task new` and `task check`: a task proposed from a cohort, and its check."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rehabcast.commands.learning.training import task_file
from rehabcast.output import AsJson, emit
from stores.private_files import written_whole

if TYPE_CHECKING:
    from training.proposals.cohort_facts import TaskFacts

app = typer.Typer(no_args_is_help=True, help="Tasks: propose one from a cohort, check one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWritten:
    """A proposed task.

    Parameters
    ----------
    path
        The file that was written.
    open_points
        How many guesses and questions a person has to decide before it is used.
    found
        What of the cohort it was made from.
    """

    path: Path
    open_points: int
    found: TaskFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChecked:
    """A sound task."""

    name: str
    condition: str
    target: str
    digest: str
    horizons_weeks: tuple[int, ...] = field(default=())


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="COHORT", help="Cohort folder.")],
    output: Annotated[
        Path, typer.Option("--output", help="Task file to write; must not exist yet.")
    ],
    target: Annotated[
        str, typer.Option("--target", metavar="CODE", help="Code of the instrument to forecast.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Propose a task from a cohort: target, horizons, origins, inputs and attributes to audit.

    What the cohort suggests is marked `confirm = true`; what only people can tell (the condition,
    the important difference, why an attribute matters) is "?". No command uses the task until all
    of that is decided; `rehabcast task check` says what is open.
    """
    from contracts.cohort import CODE, NUMBER
    from contracts.naming.open_points import open_points
    from contracts.naming.parsing import parsed_toml
    from features.cohort import read_cohort
    from training.proposals.cohort_facts import AGE, age_bands, task_facts
    from training.proposals.task_text import task_text

    cohort = read_cohort(folder)
    facts = task_facts(cohort, target)
    ages = cohort.events.loc[cohort.events[CODE] == AGE, NUMBER].to_numpy(dtype=float)
    text = task_text(facts, age_bands(ages) if AGE in facts.sensitive else (), output.name)
    with written_whole(output, new=True) as draft:
        draft.write_text(text, "utf-8")
    count = len(open_points(parsed_toml(text)))
    written = TaskWritten(path=output, open_points=count, found=facts)
    emit(
        written,
        f"{output}: forecasts {facts.target.name} at"
        f" {', '.join(str(window.weeks) for window in facts.windows)} weeks.\n"
        f"{count} point(s) are open, guesses or questions: read the task and decide them. Then:"
        f" rehabcast task check {output} --cohort {folder}",
        as_json=as_json,
    )


@app.command()
def check(
    file: Annotated[Path, typer.Argument(parser=task_file, help="Task file (TOML).")],
    cohort: Annotated[
        Path | None, typer.Option("--cohort", help="Cohort whose own codes the task may name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a task file: everything that is open in it, and everything that makes no sense."""
    from contracts.vocabulary import vocabulary
    from features.cohort import read_cohort
    from training.task import read_task, task_digest

    if cohort is not None:
        # Whoever reads a cohort knows its codes.
        read_cohort(cohort)
    task = read_task(file)
    checked = TaskChecked(
        name=task.name, condition=task.condition, target=task.target.code,
        digest=task_digest(task),
        horizons_weeks=tuple(horizon.weeks for horizon in task.horizons),
    )  # fmt: skip
    weeks = ", ".join(map(str, checked.horizons_weeks))
    name = vocabulary()[checked.target].name
    emit(checked, f"{file} is sound: {name} at {weeks} weeks.", as_json=as_json)
