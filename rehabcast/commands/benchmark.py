"""`rehabcast benchmark`: which model is best, by how much, at what price."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group

from contracts.cohort import Cohort
from contracts.errors import ContractError
from contracts.task import Task
from rehabcast.commands.benchmark_tables import leaderboard, prices, standings
from rehabcast.commands.output import AsJson, emit, progress, words
from rehabcast.commands.training import (
    CohortOption,
    ConfigOption,
    PretrainOption,
    TaskOption,
    parameters_of,
    run_training,
)
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from training.comparison.benchmark import Benchmark, SplitBy
    from training.fitting.config import TrainingConfig
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
    register: Annotated[
        str | None,
        typer.Option(help="Train the winner, register it under this name, leaderboard attached."),
    ] = None,
    config: ConfigOption = None,
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Cross-validate every model family on the same folds, with paired intervals.

    It refuses to go on where it finds a leak. The winner is the family of lowest CRPS over all
    forecasts among those that can be served; `--register` makes it the candidate.
    """
    from features.cohort import read_cohort
    from training.task import read_task

    if by not in {"subject", "site"}:
        raise ContractError(f"--by {by!r}: write subject or site")
    parameters = parameters_of(config, seed)
    record = run_benchmark(
        read_cohort(cohort),
        read_task(task),
        models=models,
        by="site" if by == "site" else "subject",
        repeats=repeats,
        folds=folds,
        config=parameters,
        pretrain_on=None if pretrain_on is None else read_cohort(pretrain_on),
        floor=_floor(cohort, task),
        output=output,
    )
    if register is not None:
        record["registered"] = _register(record, cohort, task, register, parameters, pretrain_on)
    tables = Group(standings(record), leaderboard(record), prices(record))
    emit(record, tables, as_json=as_json)
    if record["better_but_not_servable"] and not as_json:
        words.print(
            f"Better than {record['winner']} beyond chance, but not servable:"
            f" {', '.join(record['better_but_not_servable'])}."
        )


def run_benchmark(
    cohort: Cohort,
    task: Task,
    *,
    models: list[str] | None = None,
    by: SplitBy = "subject",
    repeats: int = 5,
    folds: int = 5,
    config: TrainingConfig | None = None,
    pretrain_on: Cohort | None = None,
    floor: pd.DataFrame | None = None,
    output: Path | None = None,
) -> dict[str, Any]:
    """Benchmark with a progress bar, log it as a run; return what `benchmark --json` prints.

    Parameters
    ----------
    config
        Training parameters; its architecture is the family that others are held against.
    floor
        Best possible forecasts, as `rehabcast cohort floor` writes them.
    """
    from features.sequences import training_sequences
    from training.comparison.bayes_floor import floor_predictions
    from training.comparison.benchmark import benchmark as run
    from training.comparison.benchmark import families, number_of_fits
    from training.comparison.leaks import check_no_lookahead
    from training.comparison.model_selection import (
        PRETRAINED,
        better_but_not_servable,
        select_candidate,
    )
    from training.fitting.config import TrainingConfig
    from training.fitting.pretrain import pretrain

    config = TrainingConfig() if config is None else config
    batch = training_sequences(cohort.events, task)
    check_no_lookahead(cohort.events, task, batch)
    with TemporaryDirectory() as place:
        first = (
            None
            if pretrain_on is None
            else pretrain(pretrain_on, batch.layout, task, config, folder=Path(place))
        )
    # Whoever pre-trains a network wants to see it beside those that they named.
    wanted = (
        models if models is None or first is None else [*models, config.architecture + PRETRAINED]
    )
    competing = _chosen(families(config, first), wanted)
    steps = number_of_fits(batch, task, by, repeats, folds) * len(competing)
    with progress("Benchmark", steps) as advance:
        result, scored = run(
            batch,
            task,
            competing,
            by=by,
            repeats=repeats,
            folds=folds,
            seed=config.seed,
            floor=None if floor is None else floor_predictions(floor, batch, task),
            advance=advance,
        )
    record = {
        "cohort": cohort.provenance.name,
        "simulated": cohort.provenance.simulated,
        "data_digest": cohort.digest,
        "task": task.name,
        "pretrained_on": "" if first is None else str(first),
        "winner": select_candidate(result.standings),
        "better_but_not_servable": better_but_not_servable(result.standings),
        **result.as_record(),
    }
    return {**record, "run_id": _keep(record, result, scored, output)}


def _register(
    record: dict[str, Any],
    cohort: Path,
    task: Path,
    name: str,
    parameters: TrainingConfig,
    pretrain_on: Path | None,
) -> str:
    """Train the benchmark's winner on everybody, and attach what it was chosen by."""
    from training.comparison.benchmark import config_of
    from training.comparison.model_selection import PRETRAINED
    from training.registry.model_versions import attach_benchmark, find

    if record["winner"] is None:
        raise ContractError("--register: no family that can be served took part: add hybrid")
    trained = run_training(
        cohort,
        task,
        name,
        config_of(record["winner"], parameters),
        pretrain_on if record["winner"].endswith(PRETRAINED) else None,
    )
    version = str(trained["model_version"])
    store = Settings().store
    attach_benchmark(store, find(store, version), record["run_id"])
    return version


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
) -> str:
    """Write the leaderboard's files, to a run and where the user wants them; return the run."""
    from training.comparison.figures import calibration_figure, leaderboard_figure
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
    return opened.run_id
