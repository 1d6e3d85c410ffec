"""`rehabcast benchmark`: which model is best, by how much, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group

from contracts.cohort import Cohort
from contracts.errors import ContractError
from contracts.task import Task
from rehabcast.commands.learning.benchmark_log import log_benchmark
from rehabcast.commands.learning.benchmark_tables import (
    BenchmarkRecord,
    leaderboard,
    prices,
    standings,
)
from rehabcast.commands.learning.training import (
    CohortOption,
    ConfigOption,
    PretrainOption,
    SeedOption,
    TaskOption,
    parameters_of,
    run_training,
    tell,
    tell_of_task,
)
from rehabcast.output import (
    IF_PRESENT,
    INLINE,
    AsJson,
    emit,
    progress,
    stderr_console,
)
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from training.comparison.benchmark import SplitBy
    from training.fitting.config import TrainingConfig
    from training.fitting.preparation import CohortNote
    from training.fitting.pretrain import Pretrained
    from training.models import Fit
    from training.task_notes import TaskNote


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """A benchmark with the run that keeps it, and the version that was registered, if any was.

    `cohort_notes` is what the cohort cannot fill of the task, `task_notes` what the shipped facts
    of its instrument say of it.
    """

    record: BenchmarkRecord = field(metadata=INLINE)
    run_id: str
    cohort_notes: tuple[CohortNote, ...] = ()
    task_notes: tuple[TaskNote, ...] = ()
    registered: str | None = field(default=None, metadata=IF_PRESENT)


def benchmark(
    cohort: CohortOption,
    task: TaskOption,
    models: Annotated[
        list[str] | None,
        typer.Option("--models", help="A model family; repeatable; by default all."),
    ] = None,
    by: Annotated[
        str, typer.Option(help="Folds by `subject`, or leave one `site` out at a time.")
    ] = "subject",
    repeats: Annotated[
        int, typer.Option(min=1, max=100, help="How many times subjects are split into new folds.")
    ] = 5,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds by subject.")] = 5,
    pretrain_on: PretrainOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for leaderboard.json and the figures.")
    ] = None,
    register: Annotated[
        str | None,
        typer.Option(
            help="Train the winner and register it under this name, with the leaderboard attached."
        ),
    ] = None,
    config: ConfigOption = None,
    seed: SeedOption = None,
    as_json: AsJson = False,
) -> None:
    """Cross-validate every model family on the same folds, with paired intervals.

    It stops where it finds a leak. The winner is the family with the lowest CRPS over all
    forecasts among those that can be served; `--register` makes it the candidate.
    """
    from features.cohort import read_cohort
    from training.task import read_task

    if by not in {"subject", "site"}:
        raise ContractError(f"--by {by!r} is not a way to split", "use subject or site")
    parameters = parameters_of(config, seed)
    result = run_benchmark(
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
        version = _register(result, cohort, task, register, parameters, pretrain_on)
        result = replace(result, registered=version)
    record = result.record
    tables = Group(standings(record), leaderboard(record), prices(record.benchmark))
    emit(result, tables, as_json=as_json)
    if record.better_but_not_servable and not as_json:
        stderr_console.print(
            f"Better than {record.winner} beyond chance, but cannot be served:"
            f" {', '.join(record.better_but_not_servable)}."
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
) -> BenchmarkResult:
    """Benchmark with a progress bar, and log it as a run.

    Parameters
    ----------
    config
        Training parameters; its architecture is the family that the others are compared with.
    floor
        Best possible forecasts, as `rehabcast cohort floor` writes them.
    """
    from training.comparison.bayes_floor import floor_predictions
    from training.comparison.benchmark import benchmark as run
    from training.comparison.benchmark import families, number_of_fits
    from training.comparison.model_selection import (
        PRETRAINED,
        better_but_not_servable,
        select_candidate,
    )
    from training.fitting.config import TrainingConfig
    from training.fitting.leaks import check_no_lookahead
    from training.fitting.preparation import cohort_notes, comparable, training_parts
    from training.fitting.pretrain import pretrain

    config = TrainingConfig() if config is None else config
    # No model is chosen by people whom the dataset holds out, nor trained on those for tuning.
    everybody = replace(config, held_out_share=0.0)
    batch = training_parts(cohort, task, everybody).train
    compared = comparable(batch, task)
    notes = cohort_notes(batch, task)
    tell(notes)
    of_task = tell_of_task(task)
    if compared is not task:
        weeks = ", ".join(str(horizon.weeks) for horizon in compared.horizons)
        stderr_console.print(f"Compared is where there are outcomes: at week(s) {weeks}.")
        task, batch = compared, training_parts(cohort, compared, everybody).train
    check_no_lookahead(cohort.events, task, batch)
    pretrained: Pretrained | None = None
    if pretrain_on is not None:
        with TemporaryDirectory() as temporary:
            pretrained = pretrain(pretrain_on, batch.layout, task, config, folder=Path(temporary))
        if models is not None:
            # Whoever pre-trains a network wants to see it beside the families that they named.
            models = [*models, config.architecture + PRETRAINED]
    competing = _chosen(families(config, task, pretrained), models)
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
    record = BenchmarkRecord(
        cohort=cohort.provenance.name,
        simulated=cohort.provenance.simulated,
        data_digest=cohort.digest,
        task=task.name,
        pretrained_on="" if pretrained is None else str(pretrained),
        winner=select_candidate(result.standings),
        better_but_not_servable=better_but_not_servable(result.standings),
        benchmark=result,
    )
    run_id = log_benchmark(record, cohort, scored, output)
    return BenchmarkResult(record=record, run_id=run_id, cohort_notes=notes, task_notes=of_task)


def _register(
    result: BenchmarkResult,
    cohort: Path,
    task: Path,
    name: str,
    parameters: TrainingConfig,
    pretrain_on: Path | None,
) -> str:
    """Train the benchmark's winner on the whole cohort, and attach the leaderboard to its run."""
    from training.comparison.benchmark import config_of
    from training.comparison.model_selection import PRETRAINED
    from training.registry.model_versions import attach_benchmark, find

    winner = result.record.winner
    if winner is None:
        raise ContractError(
            "--register: no family that can be served took part", "add --models hybrid"
        )
    trained = run_training(
        cohort,
        task,
        name,
        config_of(winner, parameters),
        pretrain_on if winner.endswith(PRETRAINED) else None,
    )
    store = Settings().store
    attach_benchmark(store, find(store, trained.model_version), result.run_id)
    return trained.model_version


def _floor(cohort: Path, task: Path) -> pd.DataFrame | None:
    """Return the Bayes floor, where `rehabcast cohort floor` has computed it."""
    import pandas as pd

    from features.simulate.truth import floor_file
    from training.task import read_task

    file = floor_file(cohort, read_task(task).name)
    return pd.read_parquet(file) if file.exists() else None


def _chosen(available: Mapping[str, Fit], names: list[str] | None) -> dict[str, Fit]:
    if unknown := sorted(set(names or []) - set(available)):
        lacks_prior = unknown[0] == "recovery groups"
        raise ContractError(
            f"the task names no prior, so {unknown[0]!r} has no published groups to forecast with"
            if lacks_prior
            else f"there is no model family {unknown[0]!r}",
            f"choose from {', '.join(available)}",
        )
    return {name: fit for name, fit in available.items() if names is None or name in names}
