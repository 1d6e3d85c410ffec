"""`rehabcast whatif`: one subject's forecast under other plans of therapy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from rehabcast.commands.service.asking import UrlOption, request_forecast, service_of
from rehabcast.commands.service.plans_file import read_plans
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
