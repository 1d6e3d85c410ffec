"""Writes the model card, for those who decide about the model."""

from __future__ import annotations

import re

import pandas as pd

from contracts import predictions as columns
from contracts.groups import MINIMUM_SHOWN, is_few, rounded_people
from contracts.predictions import CANDIDATE
from contracts.priors import prior_of, start_in_words
from contracts.task import Task
from contracts.vocabulary import NOTHING, Additions, Code, Kind, vocabulary
from contracts.vocabulary.code import values_in_words
from training.comparators import Better, decimals_of, errors_of_models
from training.registry.bundle import TrainingProvenance
from training.scores import losses

SIMULATED = (
    "**SIMULATED DATA. This model was trained on people who do not exist. It shows how rehabcast"
    " works and must not be used for anyone's care.**\n\n"
)


def model_description(task: Task) -> str:
    """Return what MLflow shows of all versions of a model together."""
    return (
        f"Forecasts {vocabulary()[task.target.code].name} (task {task.name}). The alias `champion`"
        " shows which version the ledger has in service; nothing relies on it."
    )


def version_description(
    task: Task, provenance: TrainingProvenance, table: pd.DataFrame, better: tuple[Better, ...]
) -> str:
    """Return what MLflow shows of a version and of its run, in Markdown.

    What it is, from whom, its errors beside those of its comparators, and where is to be seen
    whether it may be served: what is said here stands also after an audit.

    Parameters
    ----------
    table
        Prediction table of the candidate and its comparators.
    better
        The comparators that did better.
    """
    # Lists of versions show the first words, as they are.
    label = "SIMULATED people: not for anyone's care. " if provenance.simulated else ""
    rivals = "".join(f"\n\n**Worse than a comparator: {one}.**" for one in better)
    return (
        f"{label}Forecasts {vocabulary()[task.target.code].name} at"
        f" {', '.join(str(h.weeks) for h in task.horizons)} weeks (task {task.name}), by the family"
        f" {provenance.family}, trained on {_people(provenance.subjects)} of the cohort"
        f" {provenance.cohort_name}.{rivals}{_beside_comparators(table)}\n\nIt reaches nobody"
        " before its audit (`rehabcast audit`) and a promotion, which the ledger records. Where"
        " they took place, the version's tags show them: `audit`, `audit_scope`, `champion_epoch`."
        " In the run's artifacts are its card (`bundle/model-card.md`), figures, and reports"
        " (`audit`)."
    )


def _beside_comparators(table: pd.DataFrame) -> str:
    """Return the errors of a candidate and its comparators; nothing where too few would be told."""
    errors = errors_of_models(table)
    decimals = decimals_of(errors[["crps", "mae"]].to_numpy().ravel())
    rows = "".join(
        f"\n| {'**this model**' if name == CANDIDATE else name} | {row['crps']:.{decimals}f}"
        f" | {row['mae']:.{decimals}f} | {row['coverage_80']:.0%} |"
        for name, row in errors.iterrows()
    )
    return (
        "\n\nOut of fold, over all horizons:\n\n| model | CRPS | mean absolute error | 80 % range"
        f" holds |\n|---|---|---|---|{rows}"
        if rows
        else ""
    )


def model_card(
    table: pd.DataFrame,
    task: Task,
    provenance: TrainingProvenance,
    codes: Additions = NOTHING,
) -> str:
    """Return the card in Markdown, with figures from the out-of-fold prediction table."""
    origins = ", ".join(str(day) for day in task.origins_days)
    pretrained_on = provenance.pretrained_on
    return f"""# Model card: {task.name}

{SIMULATED if provenance.simulated else ""}## What it does
Forecasts the {task.condition} score ({task.target.code}, {task.target.low:g} to
{task.target.high:g}, {task.target.better} is better{_to_confirm(task)}) at
{", ".join(str(h.weeks) for h in task.horizons)} weeks after enrolment, with 19 quantiles, and the
chance of: {", ".join(m.name for m in task.milestones)}.

## What it is not
Not a diagnosis, not a treatment recommendation and, as shipped, not a medical device. It supports
the judgement of a clinician who knows the patient. It must not be used to withhold therapy.

## What it was trained on
Cohort "{provenance.cohort_name}", {_people(provenance.subjects)}, data digest
{provenance.data_digest}.
It was trained on, and is audited with, forecasts made {origins} days after enrolment from the
{task.inputs.past_days} days before. It can forecast on any day up to day {task.last_origin_day}.
Neither the hospital nor the type of treatment is an input.
{f"Its networks were pre-trained on: {pretrained_on}." if pretrained_on else ""}
{_start(task, provenance)}

{_own_codes(codes)}## Performance on subjects that the forecasting network was not trained on
{_performance(table)}

Performance and bias by subgroup are in the audit report, which decides whether it may be served.

## How it was made
Family: {provenance.family}, seed {provenance.seed}, code {provenance.code_digest[:12]},
configuration {provenance.config_digest[:12]}, task {provenance.task_digest[:12]}.

## Known limits
- Validated by cross-validation within one cohort; expect lower performance elsewhere
  (`rehabcast evaluate`).
- It has learned associations, not causes: it can't say what another treatment would achieve.
- Horizons with few outcomes share their interval widths with the others.
"""


def _start(task: Task, provenance: TrainingProvenance) -> str:
    """Say which recovery population it started from; nothing of a family without one."""
    prior = prior_of(provenance.family, task.prior)
    return "" if prior is None else f"Training starts {start_in_words(prior.name, prior.source)}."


def _to_confirm(task: Task) -> str:
    entry = vocabulary().get(task.target.code)
    return f"; {entry.to_confirm}" if entry is not None and entry.to_confirm else ""


def _own_codes(codes: Additions) -> str:
    """Return what codes mean that rehabcast does not ship; nothing where there are none."""
    if not codes.codes:
        return ""
    rows = "\n".join(
        f"| {entry.code} | {_cell(entry.name)} | {_values(entry)} | {_cell(entry.source)} |"
        for entry in codes.codes
    )
    return (
        "## Codes of its own\nThe hospital defined these; rehabcast does not ship them.\n\n"
        f"| code | name | values | source |\n|---|---|---|---|\n{rows}\n\n"
    )


def _values(entry: Code) -> str:
    better = entry.better if entry.kind is Kind.ASSESSMENT else None
    return _cell(values_in_words(entry.low, entry.high, entry.unit, entry.labels, better))


def _cell(text: str) -> str:
    """Return text as it stands in a cell of a Markdown table."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~&])", r"\\\1", text)


def _performance(table: pd.DataFrame) -> str:
    scored = table.assign(**losses(table))
    by_model = scored.groupby([columns.HORIZON, columns.MODEL])
    # What is held back tells nothing, not even by the decimals of the others.
    held_back = by_model[columns.SUBJECT].nunique().map(is_few)
    shown = by_model[["mae", "crps"]].mean()[~held_back]
    decimals = decimals_of(shown.to_numpy().ravel())
    lines = [
        "| weeks | model | people | mean absolute error | CRPS | 80 % coverage |",
        "|---|---|---|---|---|---|",
    ]
    for (day, model), rows in by_model:
        name = "**this model**" if model == CANDIDATE else model
        people = rows[columns.SUBJECT].nunique()
        figures = (
            "| | |"
            if is_few(people)
            else f"{rows['mae'].mean():.{decimals}f} | {rows['crps'].mean():.{decimals}f}"
            f" | {rows['coverage_80'].mean():.0%} |"
        )
        lines.append(f"| {int(str(day)) // 7} | {name} | {_people(people)} | {figures}")
    return "\n".join(lines)


def _people(number: int) -> str:
    """Say a number of people as everybody may read it: the card is a public page."""
    shown = rounded_people(number)
    return f"fewer than {MINIMUM_SHOWN} people" if shown is None else f"at least {shown} people"
