"""`rehabcast whatif`: one subject's forecast under other plans of therapy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from contracts.declarations import read_toml
from contracts.errors import ContractError
from rehabcast.commands.service.asking import UrlOption, request_forecast, service_of
from rehabcast.commands.service.serve import (
    AsOfDay,
    CohortOption,
    SubjectOption,
    TaskOption,
    forecast_request,
    print_forecast,
)
from rehabcast.output import AsJson
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from serving.whatif import PlansFile

KINDS = {
    "float": "a number", "int": "a whole number", "bool": "true or false", "str": "text",
    "array": "a list", "object": "a table",
}  # fmt: skip
"""What the decoder calls what stands in a file, and how people say it."""

PLACED = re.compile(r"(.*?)(?: - at (`key` in )?`\$\.?([^`]*)`)?", re.DOTALL)
"""What the decoder says: what it found, whether in a name of a table, and where."""

ADVICE = "correct the file; docs/twin.md has a complete one"


def whatif(
    plans: Annotated[Path, typer.Argument(help="TOML file with plans, a search or last_weeks.")],
    subject: SubjectOption,
    cohort: CohortOption,
    as_of_day: AsOfDay = None,
    weeks: Annotated[int | None, typer.Option(help="Which horizon to compare at.")] = None,
    task: TaskOption = "",
    url: UrlOption = None,
    as_json: AsJson = False,
) -> None:
    """Ask the running service what other plans of therapy would change for one subject.

    The effect of dose is from a prior of trials, not learned from these people: associational
    unless randomised.
    """
    from features.cohort import read_cohort
    from serving.schemas import WhatIfRequest

    asked = read_plans(plans)
    record = forecast_request(
        read_cohort(cohort), subject, as_of_day=as_of_day, weeks=weeks, task=task
    )
    request = WhatIfRequest(
        **(msgspec.structs.asdict(record) | msgspec.structs.asdict(asked) | {"explain": False})
    )
    answer = request_forecast(*service_of(Settings(), url), request)
    print_forecast(answer, as_json=as_json)


def read_plans(path: Path) -> PlansFile:
    """Read a file of plans.

    Raises
    ------
    ContractError
        It can't be read, is not TOML, holds what it must not, or asks nothing.
    """
    from serving.whatif import PlansFile

    content = read_toml(path, "a file of plans", ADVICE)
    try:
        asked = msgspec.convert(content, PlansFile)
    except msgspec.ValidationError as error:
        raise ContractError(f"{path}: {mistake(error)}", ADVICE) from None
    if not asked.plans and asked.search is None and asked.last_weeks is None:
        raise ContractError(f"{path}: asks nothing: no plans, no search, no last_weeks", ADVICE)
    return asked


def mistake(error: msgspec.ValidationError) -> str:
    """Return what the decoder found in a TOML file, with its place, in words of ours."""
    parts = PLACED.fullmatch(str(error))
    assert parts is not None  # noqa: S101  (every text is one)
    found, of_a_name, place = (part or "" for part in parts.groups())
    at = f" at {place}" if place else ""
    place = f"a name in {place}" if of_a_name else place
    # The file's own names may hold anything.
    if found.startswith("Object contains unknown field"):
        return f"{found.partition('`')[2].removesuffix('`')!r} is not known{at}"
    names = [KINDS.get(name.split(" | ")[0], repr(name)) for name in re.findall("`(.+?)`", found)]
    if found.startswith("Expected"):
        limit = re.sub(r"\.0$", "", found.partition("` ")[2]) if len(names) == 1 else ""
        but = f", not {names[1]}" if len(names) == 2 else f" {limit}".rstrip()
        return f"{place or 'the file'} must be {names[0]}{but}"
    if found.startswith("Object missing required field"):
        return f"{names[0]} is missing{at}"
    return f"{place or 'the file'}: {found.rpartition('value ')[2]} is no word known there"
