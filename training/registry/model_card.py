"""Writes the model card: for the people who decide about the model."""

from __future__ import annotations

import pandas as pd

from contracts import predictions as columns
from contracts.predictions import CANDIDATE
from contracts.task import Task
from training.registry.bundle import Lineage
from training.scores import losses

SIMULATED = (
    "**SIMULATED DATA. This model was trained on people who do not exist. It shows how rehabcast"
    " works and must not be used for anyone's care.**\n\n"
)


def model_card(table: pd.DataFrame, task: Task, lineage: Lineage) -> str:
    """Return the card in Markdown, figures taken from the out-of-fold prediction table."""
    return f"""# Model card: {task.name}

{SIMULATED if lineage.simulated else ""}## What it does
Forecasts the {task.condition} score ({task.target.code}, {task.target.low:g} to
{task.target.high:g}, {task.target.better} is better) at
{", ".join(str(h.weeks) for h in task.horizons)} weeks after enrolment, with 19 quantiles, and the
chance of: {", ".join(m.name for m in task.milestones)}.

## What it is not
Not a diagnosis, not a treatment recommendation, not a medical device as shipped. It supports the
judgement of a clinician who knows the patient. It must not be used to withhold therapy.

## What it was trained on
Cohort "{lineage.cohort_name}", {lineage.subjects} subjects, data digest {lineage.data_digest}.
Forecasts are learned and audited {", ".join(str(day) for day in task.origins_days)} days after
enrolment, from the {task.inputs.past_days} days before, and given on any day up to day
{task.last_origin_day}.
Neither hospital nor treatment is an input.
{f"Its networks first learned from: {lineage.pretrained_on}." if lineage.pretrained_on else ""}

## How well it does, on subjects that the forecasting network never saw
{_performance(table)}

Performance and bias by subgroup are in the audit report, which decides whether it may be served.

## How it was made
Family: {lineage.family}, seed {lineage.seed}, code {lineage.code_digest[:12]}, configuration
{lineage.config_digest[:12]}, task {lineage.task_digest[:12]}.

## Known limits
- Validated by cross-validation inside one cohort; expect a drop elsewhere (`rehabcast evaluate`).
- An association, not a cause: it can't say what another treatment would bring.
- Horizons with few outcomes share their interval widths with the others.
"""


def _performance(table: pd.DataFrame) -> str:
    scored = table.assign(**losses(table))
    lines = [
        "| weeks | model | outcomes | mean absolute error | CRPS | 80 % interval holds |",
        "|---|---|---|---|---|---|",
    ]
    for (day, model), rows in scored.groupby([columns.HORIZON, columns.MODEL]):
        name = "**this model**" if model == CANDIDATE else model
        lines.append(
            f"| {int(str(day)) // 7} | {name} | {len(rows)} | {rows['mae'].mean():.2f}"
            f" | {rows['crps'].mean():.2f} | {rows['coverage_80'].mean():.0%} |"
        )
    return "\n".join(lines)
