"""`rehabcast train` and `search`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import Interrupted
from rehabcast.commands.learning.engine import Engine, EngineOption, RayAddress
from rehabcast.output import AsJson, emit, progress, stderr_console
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from contracts.cohort import Cohort
    from contracts.task import Task
    from training.comparators import Better
    from training.data_seen import DataChanges
    from training.fitting.config import TrainingConfig
    from training.fitting.preparation import CohortNote
    from training.fitting.ray_cluster import RayCluster
    from training.task_notes import TaskNote

SHIPPED_TASKS = Path(__file__).resolve().parents[3] / "tasks"
"""Task files of the checkout: `tasks/NAME.toml` names one of them wherever a command is run."""


def task_file(written: str) -> Path:
    """Return the task file of a path; a shipped one where there is no such file."""
    path = Path(written)
    shipped = SHIPPED_TASKS / path.name
    is_shipped = path.parent == Path("tasks") and not path.exists() and shipped.is_file()
    return shipped if is_shipped else path


ConfigOption = Annotated[
    Path | None, typer.Option(help="Training parameters (TOML), as `search` writes them.")
]
CohortOption = Annotated[
    Path,
    typer.Option(
        "--cohort", help="Cohort folder, as written by `cohort import` or `cohort simulate`."
    ),
]
TaskOption = Annotated[
    Path,
    typer.Option("--task", parser=task_file, help="Task file (TOML): what is forecast, from what."),
]
PretrainOption = Annotated[
    Path | None,
    typer.Option(help="Cohort to pre-train on, usually a large simulated one."),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=4_000_000,
        help="Seed of every random number; by default that of --config, or 0.",
    ),
]
WithoutOption = Annotated[
    Path | None,
    typer.Option(
        help="File of people who must not be in it, one a line, as `record withdrawn` prints"
        " them: a cohort that has one is refused."
    ),
]
VersionArgument = Annotated[
    str, typer.Argument(metavar="MODEL_VERSION", help="NAME/N, as `rehabcast train` prints it.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """A registered candidate.

    Parameters
    ----------
    model_version, run_id
        `NAME/N`, and the MLflow run that trained it.
    simulated, data_digest
        Whether its cohort is simulated, and the digest of the cohort's data.
    cohort_notes
        What the cohort cannot fill of the task.
    task_notes
        What is worth knowing of the task: its instrument, its prior, what is to be confirmed.
    data_changes
        What changed since the data of the version in service.
    better_comparators
        Comparators that did better out of fold than the candidate.
    """

    model_version: str
    run_id: str
    simulated: bool
    data_digest: str
    data_changes: DataChanges
    better_comparators: tuple[Better, ...] = ()
    cohort_notes: tuple[CohortNote, ...] = ()
    task_notes: tuple[TaskNote, ...] = ()


def tell(notes: tuple[CohortNote, ...]) -> None:
    """Print what a cohort cannot fill of its task, before anything is fitted."""
    if notes:
        stderr_console.print("The cohort does not have all that the task names:")
    for note in notes:
        stderr_console.print(f"  {note}")


def tell_of_task(task: Task) -> tuple[TaskNote, ...]:
    """Print what the shipped facts of its instrument say of a task, and return it."""
    from training.task_notes import task_notes

    notes = task_notes(task)
    if notes:
        stderr_console.print("About the task, which is used as it is:")
    for note in notes:
        stderr_console.print(f"  {note}", highlight=False)
    return notes


def train(
    cohort: CohortOption,
    task: TaskOption,
    model: Annotated[str, typer.Option("--model", help="Name to register under.")],
    config: ConfigOption = None,
    pretrain_on: PretrainOption = None,
    without: WithoutOption = None,
    engine: EngineOption = Engine.LOCAL,
    ray_address: RayAddress = None,
    seed: SeedOption = None,
    as_json: AsJson = False,
) -> None:
    """Train on a cohort and register a candidate; to resume after an interruption, run it again."""
    if without is not None:
        from features.cohort import read_cohort
        from rehabcast.auditing.overlap import require_without

        require_without(map(read_cohort, filter(None, (cohort, pretrain_on))), without)
    try:
        result = run_training(
            cohort,
            task,
            model,
            parameters_of(config, seed),
            pretrain_on,
            cluster_at(ray_address) if engine is Engine.RAY else None,
        )
    except KeyboardInterrupt:
        raise Interrupted(
            "training was stopped", "run the same command again to go on where it was"
        ) from None
    emit(result, f"Registered candidate {result.model_version}.", as_json=as_json)
    if not as_json:
        stderr_console.print(f"Next: rehabcast audit {result.model_version}")


def run_training(
    cohort: Path,
    task: Path,
    model: str,
    parameters: TrainingConfig,
    pretrain_on: Path | None = None,
    cluster: RayCluster | None = None,
) -> TrainingResult:
    """Read a cohort and a task, and train (`train_candidate`)."""
    from features.cohort import read_cohort
    from training.task import read_task

    return train_candidate(
        read_cohort(cohort),
        read_task(task),
        model,
        parameters,
        None if pretrain_on is None else read_cohort(pretrain_on),
        cluster,
    )


def train_candidate(
    cohort: Cohort,
    task: Task,
    model: str,
    parameters: TrainingConfig,
    pretrain_on: Cohort | None = None,
    cluster: RayCluster | None = None,
    facts: Mapping[str, str] | None = None,
) -> TrainingResult:
    """Train with a progress bar, register the candidate and sign its bundle.

    Parameters
    ----------
    facts
        What else is put on record with the run, by name.
    """
    from rehabcast.auditing.data_changes import since_champion
    from rehabcast.auditing.overlap import people_key
    from rehabcast.signed_artifacts import log_explanation_quality, sign_bundle
    from training.data_seen import data_seen
    from training.fitting.crossfit import fit_sequentially
    from training.train import steps
    from training.train import train as train_model

    settings = Settings()
    notes: list[CohortNote] = []
    better: list[Better] = []

    def announce(found: tuple[CohortNote, ...]) -> None:
        notes.extend(found)
        tell(found)

    key = people_key(settings, make=True)
    seen = None if key is None else data_seen(cohort, key)
    changes = since_champion(settings, model, seen, key)
    stderr_console.print(str(changes))
    of_task = tell_of_task(task)
    with progress("Training", steps(parameters)) as advance:
        version = train_model(
            cohort,
            task,
            parameters,
            model=model,
            store=settings.store,
            checkpoints=settings.checkpoints,
            pretrain_on=pretrain_on,
            fit_folds=fit_sequentially if cluster is None else cluster.fit,
            advance=advance,
            people_key=key,
            seen=seen,
            facts={
                **{f"data_{name}": text for name, text in asdict(changes).items() if text},
                **(facts or {}),
            },
            tell=announce,
            tell_better=better.extend,
        )
    for one in better:
        stderr_console.print(f"Worse than a comparator: {one}.")
    sign_bundle(settings, version)
    log_explanation_quality(settings, version, cohort, parameters.seed)
    return TrainingResult(
        model_version=str(version),
        run_id=version.run_id,
        simulated=cohort.provenance.simulated,
        data_digest=cohort.digest,
        data_changes=changes,
        better_comparators=tuple(better),
        cohort_notes=tuple(notes),
        task_notes=of_task,
    )


def cluster_at(address: str | None) -> RayCluster:
    """Return the Ray cluster at an address; None starts one on this machine."""
    from training.fitting.ray_cluster import RayCluster

    return RayCluster(address=address)


def parameters_of(config: Path | None, seed: int | None) -> TrainingConfig:
    """Return the training parameters of a file, or the defaults; with another seed if given."""
    from training.fitting.config import TrainingConfig, read_config

    parameters = TrainingConfig() if config is None else read_config(config)
    return parameters if seed is None else replace(parameters, seed=seed)
