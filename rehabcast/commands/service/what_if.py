"""`rehabcast whatif`: one subject's forecast under other plans of therapy."""

from __future__ import annotations

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
        raise ContractError(f"{path}: not a file of plans: {error}", ADVICE) from error
    if not asked.plans and asked.search is None and asked.last_weeks is None:
        raise ContractError(f"{path}: asks nothing: no plans, no search, no last_weeks", ADVICE)
    return asked
