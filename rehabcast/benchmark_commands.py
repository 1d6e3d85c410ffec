"""`rehabcast benchmark`: which model is best, by how much, at what price."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.table import Table

from contracts.cohort import Cohort
from contracts.errors import ContractError
from contracts.task import Task
from rehabcast.output import AsJson, emit, progress
from rehabcast.settings import Settings
from rehabcast.training_commands import CohortOption, PretrainOption, TaskOption

if TYPE_CHECKING:
    import pandas as pd

    from training.benchmark import Benchmark, By
    from training.models import Fit

LEADERBOARD_FILES = ("leaderboard.json", "leaderboard.png", "calibration.png")


def benchmark(
    cohort: CohortOption,
    task: TaskOption,
    models: Annotated[
        list[str] | None, typer.Option("--models", help="A family; repeat it. All, unless given.")
    ] = None,
    by: Annotated[str, typer.Option(help="Folds by `subject`, or one `site` out at a time.")] = (
        "subject"
    ),
    repeats: Annotated[int, typer.Option(min=1, help="Fresh deals into folds.")] = 5,
    folds: Annotated[int, typer.Option(min=2, help="Folds by subject.")] = 5,
    pretrain_on: PretrainOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for leaderboard.json and figures.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Cross-validate every model family on the same folds, with paired intervals."""
    from features.cohort import read_cohort
    from training.task import read_task

    if by not in {"subject", "site"}:
        raise ContractError(f"--by {by!r}: write subject or site")
    record = run_benchmark(
        read_cohort(cohort),
        read_task(task),
        models=models,
        by="site" if by == "site" else "subject",
        repeats=repeats,
        folds=folds,
        seed=seed,
        pretrain_on=None if pretrain_on is None else read_cohort(pretrain_on),
        floor=_floor(cohort, task),
        output=output,
    )
    emit(record, Group(leaderboard(record), prices(record)), as_json=as_json)


def run_benchmark(
    cohort: Cohort,
    task: Task,
    *,
    models: list[str] | None = None,
    by: By = "subject",
    repeats: int = 5,
    folds: int = 5,
    seed: int = 0,
    pretrain_on: Cohort | None = None,
    floor: pd.DataFrame | None = None,
    output: Path | None = None,
) -> dict[str, Any]:
    """Benchmark with a progress bar, log it as a run; return what `benchmark --json` prints.

    Parameters
    ----------
    floor
        Best possible forecasts, as `rehabcast cohort floor` writes them.
    """
    from features.sequences import training_sequences
    from training.bayes_floor import floor_predictions
    from training.benchmark import benchmark as run
    from training.benchmark import families, fits
    from training.config import TrainingConfig
    from training.leaks import check_past
    from training.pretrain import pretrain

    config = TrainingConfig(seed=seed)
    batch = training_sequences(cohort.events, task)
    check_past(cohort.events, task, batch)
    with TemporaryDirectory() as place:
        first = (
            None
            if pretrain_on is None
            else pretrain(pretrain_on, batch.layout, task, config, folder=Path(place))
        )
    competing = _chosen(families(config, first), models)
    with progress("Benchmark", fits(batch, task, by, repeats, folds) * len(competing)) as advance:
        result, scored = run(
            batch,
            task,
            competing,
            by=by,
            repeats=repeats,
            folds=folds,
            seed=seed,
            floor=None if floor is None else floor_predictions(floor, batch, task),
            advance=advance,
        )
    record = {
        "cohort": cohort.provenance.name,
        "simulated": cohort.provenance.simulated,
        "data_digest": cohort.digest,
        "task": task.name,
        "pretrained_on": "" if first is None else str(first),
        **result.as_record(),
    }
    _keep(record, result, scored, output)
    return record


def _floor(cohort: Path, task: Path) -> pd.DataFrame | None:
    """Return the best possible forecasts, where somebody has worked them out."""
    import pandas as pd

    from features.simulate.truth import floor_file
    from training.task import read_task

    file = floor_file(cohort, read_task(task).name)
    return pd.read_parquet(file) if file.exists() else None


def _chosen(every: Mapping[str, Fit], models: list[str] | None) -> dict[str, Fit]:
    if unknown := sorted(set(models or []) - set(every)):
        raise ContractError(f"no family is called {unknown[0]!r}: choose from {', '.join(every)}")
    return {name: fit for name, fit in every.items() if models is None or name in models}


def _keep(
    record: dict[str, Any], result: Benchmark, scored: pd.DataFrame, output: Path | None
) -> None:
    """Write the leaderboard's files, to the run and where the user wants them."""
    from training.figures import calibration_figure, leaderboard_figure
    from training.tracking import run

    label = "SIMULATED " if record["simulated"] else ""
    title = f"{label}{record['cohort']}"
    tags = {"cohort": record["cohort"], "simulated": str(record["simulated"])}
    with run(Settings().store, name=f"benchmark {record['task']}", tags=tags) as opened:
        with TemporaryDirectory() as place:
            folder = Path(place) if output is None else output
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "leaderboard.json").write_text(json.dumps(record, indent=1), "utf-8")
            leaderboard_figure(result.rows, folder / "leaderboard.png", title=title)
            calibration_figure(scored, folder / "calibration.png", title=title)
            for name in LEADERBOARD_FILES:
                opened.log_file(folder / name)
        first = result.rows[0].model
        opened.log_metrics(
            {
                f"day_{row.origin_day}/week_{row.weeks}/{row.population}/crps": row.crps
                for row in result.rows
                if row.model == first
            }
        )


def leaderboard(record: dict[str, Any]) -> Table:
    """Return the benchmark as a table; differences are the first family minus the row's."""
    label = "SIMULATED " if record["simulated"] else ""
    how = (
        f"{record['repeats']} x {record['folds']}-fold by subject"
        if record["by"] == "subject"
        else "leave one site out"
    )
    first = min(row["origin_day"] for row in record["rows"])
    table = Table(
        title=f"{label}{record['cohort']}, {how}, forecast on day {first}",
        caption="difference: the first model minus this one, with its 95 % interval by subject"
        " bootstrap; below 0 the first is better. Early: within the task's early_days of onset."
        " Skill: from last observation (0) to the Bayes floor (1).",
    )
    skilled = any(row["skill"] is not None for row in record["rows"])
    for heading in (
        "who", "week", "model", "n", "MAE", "CRPS", "80 %", "90 %", "width",
        *(["skill"] if skilled else []), "MAE difference", "CRPS difference",
    ):  # fmt: skip
        table.add_column(heading, no_wrap=True)
    for row in (row for row in record["rows"] if row["origin_day"] == first):
        table.add_row(
            row["population"],
            str(row["weeks"]),
            row["model"],
            str(row["subjects"]),
            f"{row['mae']:.2f}",
            f"{row['crps']:.2f}",
            f"{row['coverage_80']:.0%}",
            f"{row['coverage_90']:.0%}",
            f"{row['width_80']:.1f}",
            *([f"{row['skill']:.2f}"] if skilled else []),
            _difference(row["mae_difference"]),
            _difference(row["crps_difference"]),
        )
    return table


def prices(record: dict[str, Any]) -> Table:
    """Return what each family costs as a table."""
    table = Table("model", "fit s", "ms alone", "ms of 1,000", "parameters", title="Price")
    for name, price in record["prices"].items():
        table.add_row(
            name,
            f"{price['fit_seconds']:.2f}",
            f"{price['alone_ms']:.2f}",
            f"{price['together_ms']:.3f}",
            "" if price["parameters"] is None else f"{price['parameters']:,}",
        )
    return table


def _difference(difference: dict[str, float] | None) -> str:
    if difference is None:
        return ""
    return "{mean:+.2f} [{low:+.2f}, {high:+.2f}]".format(**difference)
