"""Reads task files."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from contracts.digests import record_digest
from contracts.errors import TaskInvalid
from contracts.groups import bands_of
from contracts.task import Task
from contracts.vocabulary import vocabulary


def read_task(path: Path) -> Task:
    """Read and check a task file.

    Raises
    ------
    TaskInvalid
        The file is unreadable or not TOML, has an unknown or missing key, a wrong type or a code
        that is not in the vocabulary, or the target's range, direction or step differs from the
        vocabulary's.
    """
    try:
        task = Task.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise TaskInvalid(f"{path} cannot be read ({error.strerror})", "check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TaskInvalid(f"{path} is not valid TOML: {error}", "correct the file") from error
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in problem['loc']) or 'task'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise TaskInvalid(
            "\n".join([f"{path} has {len(lines)} problem(s)", *lines]),
            "correct them in the task file; tasks/ has complete examples",
        ) from error
    _check_codes(path, task)
    return task


def task_digest(task: Task) -> str:
    """Return the SHA-256 of a task's canonical JSON."""
    return record_digest(task.model_dump(mode="json"))


def _check_codes(path: Path, task: Task) -> None:
    concepts = vocabulary()
    inputs = task.inputs
    used = [*inputs.assessments, *inputs.daily, *inputs.person, *(s.code for s in task.sensitive)]
    if unknown := [code for code in used if code not in concepts]:
        raise TaskInvalid(
            f"{path}: not in the vocabulary: {', '.join(unknown)}",
            "correct the code, or leave it out of the task",
        )
    _check_bands(path, task)
    target = concepts[task.target.code]
    if (task.target.low, task.target.high) != (target.low, target.high):
        raise TaskInvalid(
            f"{path}: the target's range is {task.target.low:g} to {task.target.high:g}, but the"
            f" vocabulary has {target.low:g} to {target.high:g} for {target.code}",
            f"write low = {target.low:g} and high = {target.high:g}",
        )
    if task.target.better != target.better:
        raise TaskInvalid(
            f"{path}: target better = {task.target.better!r}, but of {target.code} a"
            f" {target.better} score is better",
            f"write better = {target.better!r}",
        )
    if task.target.step != target.step:
        raise TaskInvalid(
            f"{path}: target step = {task.target.step:g}, but scores of {target.code} are"
            f" {target.step:g} apart",
            f"write step = {target.step:g}",
        )


def _check_bands(path: Path, task: Task) -> None:
    """Refuse an attribute whose groups could not be told apart."""
    for attribute in task.sensitive:
        bands = bands_of(attribute)
        where = f"{path}: sensitive attribute {attribute.name!r}"
        if bands is None and vocabulary()[attribute.code].is_numeric:
            raise TaskInvalid(
                f"{where} is a number ({attribute.code}) and has no bands", "give it bands"
            )
        if bands is not None and len(set(bands.edge_texts)) < len(bands.edges):
            raise TaskInvalid(
                f"{where}: the edges of two bands read alike ({', '.join(bands.edge_texts)})",
                "put the edges further apart",
            )
