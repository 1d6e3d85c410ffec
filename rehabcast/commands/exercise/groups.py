"""`rehabcast exercise groups`: who of a cohort keeps to a programme, and how well, by group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.errors import EvidenceMissing
from rehabcast.output import AsJson, emit

if TYPE_CHECKING:
    from features.adherence.groups import GroupExercise

TITLE = "Exercise at home, by group"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseGroups:
    """Exercise by group, and whether the people are SIMULATED."""

    simulated: bool
    rows: tuple[GroupExercise, ...]


def groups(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder with days of exercise.")],
    task: Annotated[Path, typer.Option(help="Task file: its sensitive attributes are the groups.")],
    as_json: AsJson = False,
) -> None:
    """Compare adherence and quality by group; groups of fewer than 11 people are held back."""
    from features.adherence.groups import exercise_by_group
    from features.cohort import read_cohort
    from training.task import read_task

    attributes, people = read_task(task), read_cohort(cohort)
    rows = exercise_by_group(people.events, attributes)
    if not rows:
        raise EvidenceMissing(
            f"cohort {people.provenance.name!r} has no day of exercise at home",
            "write some with `rehabcast exercise days`, and import them",
        )
    simulated = people.provenance.simulated
    emit(ExerciseGroups(simulated=simulated, rows=rows), _table(rows, simulated), as_json=as_json)


def _table(rows: tuple[GroupExercise, ...], simulated: bool) -> Table:
    table = Table(title=f"SIMULATED: {TITLE}" if simulated else TITLE)
    for heading in ("attribute", "group", "people", "share of the plan done", "done as shown"):
        table.add_column(heading)
    for row in rows:
        people = "fewer than 11" if row.people is None else f"at least {row.people}"
        table.add_row(row.attribute, row.group, people, _share(row.adherence), _share(row.quality))
    return table


def _share(value: float | None) -> str:
    return "held back" if value is None else f"{100 * value:.0f} %"
