"""The page of shipped tasks, made from their files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from contracts.naming.units import unit_in_words
from contracts.task import Milestone, Task
from contracts.vocabulary import vocabulary
from contracts.vocabulary.changes import amount_in_words
from training.task import read_task
from training.task_notes import task_notes

TASKS = Path(__file__).resolve().parents[2] / "tasks"

HEAD = """# Shipped tasks

Made from `tasks/` by `KEEP_TEXTS=1 pytest tests/training/test_tasks_page.py`: change the files, not this page. What a task
file may say: docs/tasks.md; the instruments, with what of them is to be confirmed: docs/instruments.md.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(line for file in files() for line in _section(file)), ""])


def files() -> list[Path]:
    """Return the task files that are shipped."""
    return sorted(TASKS.glob("*.toml"))


def _section(file: Path) -> Iterable[str]:
    task = read_task(file)
    target = task.target
    entry = vocabulary()[target.code]
    scale = f"{target.low:g} to {target.high:g} {unit_in_words(entry.unit)}".rstrip()
    confirm = f"; **{entry.to_confirm}**" if entry.to_confirm else ""
    difference = amount_in_words(target.code, target.minimal_important_difference)
    yield f"## `tasks/{file.name}`: {task.condition}"
    yield f"- **Forecast**: {entry.name}, {scale}, {target.better} is better{confirm}. Important difference"
    yield f"  {difference} ({target.source})."
    yield f"- **Weeks after enrolment**: {_listed(h.weeks for h in task.horizons)}; forecasts from day"
    yield f"  {min(task.origins_days)} to day {task.last_origin_day}."
    yield (
        "- **Milestones**: "
        + ("; ".join(_milestone(task, each) for each in task.milestones) or "none")
        + "."
    )
    yield f"- **Read**: {_names(task)}."
    audited = "; ".join(f"{each.name} ({each.reason})" for each in task.sensitive)
    yield f"- **Audited by**: {audited or 'nothing'}."
    yield from (f"- *{note.field}*: {note.found}." for note in task_notes(task))
    yield ""


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _milestone(task: Task, milestone: Milestone) -> str:
    code = task.target.code
    at_least, at_most, gain = milestone.rule
    if gain is not None:
        rule = f"better by {amount_in_words(code, gain)} or more"
    elif at_least is not None:
        rule = f"{amount_in_words(code, at_least)} or more"
    else:
        rule = f"{amount_in_words(code, float(at_most or 0))} or less"
    return f"{milestone.name}: {rule} ({milestone.source})"


def _names(task: Task) -> str:
    inputs = task.inputs
    codes = (*inputs.assessments, *inputs.daily, *inputs.person)
    return _listed(vocabulary()[code].name for code in codes)
