"""Reads task files, and checks them against the vocabulary."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import TypeAdapter, ValidationError

from contracts.cohort import WEAR_TIME
from contracts.declarations import mistakes
from contracts.digests import record_digest
from contracts.errors import Problem, TaskInvalid
from contracts.groups import bands_of
from contracts.naming.formats import require_known_form, without_form
from contracts.naming.open_points import as_problems, open_points, without_confirmations
from contracts.naming.parsing import parsed_toml
from contracts.priors import read_prior
from contracts.task import Sensitive, Task
from contracts.task_parts.slips import Slip, SlipsFound, slips
from contracts.vocabulary import Code, Kind, vocabulary


def read_task(path: Path) -> Task:
    """Read and check a task file.

    Raises
    ------
    TaskInvalid
        The file is unreadable or not TOML; it was proposed and not everything in it is decided; or
        everything at once that is wrong with it: an unknown or missing key, a wrong type, what
        makes no sense (`contracts.task_parts.slips`) and what contradicts the vocabulary
        (`vocabulary_slips`).
    """
    try:
        # Text editors may begin a file with a byte order mark, which TOML does not know.
        content = parsed_toml(path.read_text("utf-8-sig"))
    except OSError as error:
        raise TaskInvalid(f"{path} cannot be read ({error.strerror})", "check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TaskInvalid(f"{path} is not valid TOML: {error}", "correct the file") from error
    require_known_form(content, "task", str(path), TaskInvalid)
    content = without_form(content)
    if open_ := as_problems(open_points(content), path.name):
        raise _undecided(path, open_)
    content = with_own_prior(without_confirmations(content), path.parent)
    try:
        task = Task.model_validate(content)
    except ValidationError as error:
        raise _invalid(path, *_wrong(content, error)) from error
    if found := vocabulary_slips(task):
        raise _invalid(path, [], found)
    return task


def with_own_prior(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a task's content with the prior file that it names beside it, read.

    Raises
    ------
    ContractError
        The file is not in the task's own folder, can't be read, or is no prior.
    """
    named = content.get("prior")
    if not isinstance(named, str) or not named.endswith(".toml"):
        return content
    if Path(named).name != named:
        raise TaskInvalid(
            f"prior: {named!r} is not the name of a file beside the task file",
            "put the prior's file into the folder of the task file, and write its name alone",
        )
    return {**content, "prior": read_prior(folder / named).model_dump()}


def task_digest(task: Task) -> str:
    """Return the SHA-256 of a task's canonical JSON."""
    return record_digest(task.model_dump(mode="json"))


def _undecided(path: Path, problems: list[Problem]) -> TaskInvalid:
    lines = [f"  {problem.field}: {problem.message}" for problem in problems]
    return TaskInvalid(
        "\n".join(
            [f"{path} was proposed, and {len(lines)} point(s) of it are not decided", *lines]
        ),
        "decide them in the task file; docs/tasks.md says what the keys mean",
        problems,
    )


def _invalid(path: Path, faults: list[str], found: tuple[Slip, ...]) -> TaskInvalid:
    lines = [f"  {line}" for line in (*faults, *map(str, found))]
    problems = [
        *(Problem(file=path.name, row=None, field="*", found=fault) for fault in faults),
        *(
            Problem(file=path.name, row=None, field=s.field, found=s.found, advice=s.advice)
            for s in found
        ),
    ]
    return TaskInvalid(
        "\n".join([f"{path} has {len(lines)} problem(s)", *lines]),
        "correct them in the task file; tasks/ has complete examples",
        problems,
    )


def _wrong(content: dict[str, Any], error: ValidationError) -> tuple[list[str], tuple[Slip, ...]]:
    """Return what could not be read, and what makes no sense in the rest."""
    for fault in error.errors(include_url=False):
        raised = fault.get("ctx", {}).get("error")
        if isinstance(raised, SlipsFound):
            task, sound = _readable(content, set())
            return [], (*raised.slips, *vocabulary_slips(task, sound=sound))
    broken = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
    task, sound = _readable(content, broken)
    found = (*slips(task, sound=sound), *vocabulary_slips(task, sound=sound))
    return mistakes(error, Task), found


def _readable(content: dict[str, Any], broken: set[str]) -> tuple[Task, set[str]]:
    """Return as much of a task as could be read, unchecked, and the names of its fields."""
    values: dict[str, Any] = {}
    for name, field in Task.model_fields.items():
        if name in broken:
            continue
        if name in content:
            kind: Any = Annotated[cast(Any, field.annotation), field]
            values[name] = TypeAdapter(kind).validate_python(content[name])
        elif not field.is_required():
            values[name] = field.default
    return Task.model_construct(**values), set(values)


def vocabulary_slips(task: Task, *, sound: Collection[str] | None = None) -> tuple[Slip, ...]:
    """Return everything in a task that contradicts the vocabulary.

    Parameters
    ----------
    sound
        Fields that could be read; None where all could.
    """
    checks = {
        "target": _target,
        "inputs": _inputs,
        "sensitive": _sensitive,
        "clusters": _clusters,
        "onset": _onset,
    }
    return tuple(
        slip
        for name, find in checks.items()
        if sound is None or name in sound
        for slip in find(task)
    )


def _unknown(field: str, code: str) -> Slip:
    return Slip(
        field=field,
        found=f"{code!r} is not in the vocabulary",
        advice="correct the code, or leave it out of the task; a code of your own is known with the"
        " cohort that has it (--cohort), or by REHABCAST_VOCABULARY",
    )


def _target(task: Task) -> Iterator[Slip]:
    target = task.target
    known = vocabulary().get(target.code)
    if known is None or known.kind is not Kind.ASSESSMENT:
        # What is no assessment is named where it stands among the inputs.
        if known is None:
            yield _unknown("target, code", target.code)
        return
    if (target.low, target.high) != (known.low, known.high):
        yield Slip(
            field="target",
            found=f"the range is {target.low:g} to {target.high:g}, but the vocabulary has"
            f" {known.low:g} to {known.high:g} for {known.code}{known.doubt('range')}",
            advice=f"write low = {known.low:g} and high = {known.high:g}",
        )
    if target.better != known.better:
        yield Slip(
            field="target, better",
            found=f"it is {target.better!r}, but of {known.code} a {known.better} score is better"
            f"{known.doubt('direction')}",
            advice=f"write better = {known.better!r}",
        )
    if target.step != known.step:
        yield Slip(
            field="target, step",
            found=f"it is {target.step:g}, but scores of {known.code} are {known.step:g} apart"
            f"{known.doubt('step')}",
            advice=f"write step = {known.step:g}",
        )


def _inputs(task: Task) -> Iterator[Slip]:
    inputs = task.inputs
    for name, codes, kind in (
        ("assessments", inputs.assessments, Kind.ASSESSMENT),
        ("daily", inputs.daily, Kind.DAILY),
        ("person", inputs.person, Kind.PERSON),
    ):
        for code in dict.fromkeys(codes):
            field, known = f"inputs, {name}", vocabulary().get(code)
            if known is None:
                yield _unknown(field, code)
            elif known.kind is not kind:
                yield Slip(
                    field=field,
                    found=f"{code} is of the kind {known.kind}, so no forecast would ever use it",
                    advice=f"name codes of the kind {kind} here",
                )
            elif kind is Kind.PERSON and not known.is_numeric and not known.labels:
                yield Slip(
                    field=field,
                    found=f"{code} has no fixed labels, so no forecast would ever use it",
                    advice="leave it out of the inputs",
                )


def _sensitive(task: Task) -> Iterator[Slip]:
    for number, attribute in enumerate(task.sensitive, start=1):
        known = vocabulary().get(attribute.code)
        if known is None:
            yield _unknown(f"sensitive {number}, code", attribute.code)
        elif known.kind is not Kind.PERSON and known.code != WEAR_TIME:
            yield Slip(
                field=f"sensitive {number}, code",
                found=f"{known.code} is of the kind {known.kind}, by which nobody can be grouped",
                advice=f"name a code of the kind {Kind.PERSON}, or {WEAR_TIME}",
            )
        elif attribute.bands:
            yield from _bands(number, attribute, known)
        elif known.is_numeric:
            yield Slip(
                field=f"sensitive {number}",
                found=f"{attribute.name!r} is a number ({known.code}) and has no bands, so it would"
                " be not recorded for everybody",
                advice="give it bands",
            )


def _clusters(task: Task) -> Iterator[Slip]:
    for number, cluster in enumerate(task.clusters, start=1):
        field, known = f"clusters {number}, code", vocabulary().get(cluster.code)
        if known is None:
            yield _unknown(field, cluster.code)
        elif known.kind is not Kind.PERSON or known.is_numeric or known.labels:
            yield Slip(
                field=field,
                found=f"{known.code} names no hospitals, assessors or the like that people could be"
                " clustered by",
                advice=f"name a code of the kind {Kind.PERSON} with labels of your own, such as"
                " REHABCAST//SITE or REHABCAST//ASSESSOR",
            )


def _bands(number: int, attribute: Sensitive, known: Code) -> Iterator[Slip]:
    """Find bands in which nobody could be, or that could not be told apart."""
    field, bands = f"sensitive {number}, bands", bands_of(attribute)
    if not known.is_numeric or bands is None:
        yield Slip(
            field=field,
            found=f"{attribute.name!r} has labels ({known.code}) and no numbers, so it would be not"
            " recorded for everybody",
            advice="leave the bands out",
        )
        return
    low, high = (0.0, 1.0) if bands.is_share else (float(known.low or 0), float(known.high or 0))
    for edge in bands.edges:
        if not low < edge <= high:
            what = "shares of worn days" if bands.is_share else f"values of {known.code}"
            yield Slip(
                field=field,
                found=f"{what} are {low:g} to {high:g}, so nobody would be on one side of {edge:g}",
                advice=f"write edges above {low:g}, {high:g} at most",
            )
    if len(set(bands.edge_texts)) < len(bands.edges):
        yield Slip(
            field=field,
            found=f"the edges of two bands read alike ({', '.join(bands.edge_texts)})",
            advice="put the edges further apart",
        )


def _onset(task: Task) -> Iterator[Slip]:
    if task.onset is not None and not task.onset.icd10 and not task.onset.snomed:
        yield Slip(
            field="onset",
            found="it names no diagnosis, so nobody would have an onset",
            advice="give icd10 or snomed codes, or leave [onset] out",
        )
