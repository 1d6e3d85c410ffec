"""`rehabcast train`, `search` and `evaluate`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from rehabcast.commands.engine import Engine, EngineOption, RayAddress
from rehabcast.commands.output import AsJson, emit, progress, words
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from training.fitting.config import TrainingConfig
    from training.fitting.distribute import RayCluster

ConfigOption = Annotated[
    Path | None, typer.Option(help="Training parameters (TOML), as `search` writes them.")
]
CohortOption = Annotated[
    Path, typer.Option("--cohort", help="Cohort folder, as `cohort import` or `simulate` wrote it.")
]
TaskOption = Annotated[Path, typer.Option("--task", help="Task file: what is forecast, from what.")]
PretrainOption = Annotated[
    Path | None,
    typer.Option(help="Cohort to learn from first, usually a large simulated one."),
]
VersionArgument = Annotated[
    str, typer.Argument(metavar="MODEL_VERSION", help="NAME/N, as `rehabcast train` prints it.")
]


def train(
    cohort: CohortOption,
    task: TaskOption,
    model: Annotated[str, typer.Option("--model", help="Name to register under.")],
    config: ConfigOption = None,
    pretrain_on: PretrainOption = None,
    engine: EngineOption = Engine.LOCAL,
    ray_address: RayAddress = None,
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train on a cohort and register a candidate; interrupted, the same command goes on."""
    record = run_training(
        cohort,
        task,
        model,
        parameters_of(config, seed),
        pretrain_on,
        _cluster(ray_address) if engine is Engine.RAY else None,
    )
    emit(record, f"Registered candidate {record['model_version']}.", as_json=as_json)
    if not as_json:
        words.print(f"Next: rehabcast audit {record['model_version']}")


def run_training(
    cohort: Path,
    task: Path,
    model: str,
    parameters: TrainingConfig,
    pretrain_on: Path | None = None,
    cluster: RayCluster | None = None,
) -> dict[str, Any]:
    """Train with a progress bar; return the record that `train --json` prints."""
    from features.cohort import read_cohort
    from rehabcast.evidence import explain_sample, sign_bundle
    from training.fitting.crossfit import one_after_another
    from training.task import read_task
    from training.train import steps
    from training.train import train as train_model

    settings = Settings()
    forecast_task = read_task(task)
    read = read_cohort(cohort)
    with progress("Training", steps(parameters)) as advance:
        version = train_model(
            read,
            forecast_task,
            parameters,
            model=model,
            store=settings.store,
            checkpoints=settings.checkpoints,
            pretrain_on=None if pretrain_on is None else read_cohort(pretrain_on),
            fit_folds=one_after_another if cluster is None else cluster.fit,
            advance=advance,
        )
    sign_bundle(settings, version)
    explain_sample(settings, version, read, parameters.seed)
    return {
        "model_version": str(version),
        "run_id": version.run_id,
        "simulated": read.provenance.simulated,
        "data_digest": read.digest,
    }


def search(
    cohort: CohortOption,
    task: TaskOption,
    output: Annotated[
        Path, typer.Option("--output", help="Where to write the best parameters (TOML).")
    ],
    trials: Annotated[int, typer.Option(min=1, help="Settings to try.")] = 20,
    config: ConfigOption = None,
    engine: EngineOption = Engine.LOCAL,
    ray_address: RayAddress = None,
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Search training parameters by out-of-fold CRPS; use them with `train --config`."""
    from features.cohort import read_cohort
    from training.fitting.search import one_at_a_time
    from training.fitting.search import search as run_search
    from training.task import read_task

    parameters = parameters_of(config, seed)
    read, forecast_task = read_cohort(cohort), read_task(task)
    with progress("Search", trials) as advance:
        best = run_search(
            read,
            forecast_task,
            parameters,
            trials=trials,
            store=Settings().store,
            try_settings=(_cluster(ray_address).search if engine is Engine.RAY else one_at_a_time),
            advance=advance,
        )
    best.write(output)
    emit(asdict(best), f"Best parameters: {output}", as_json=as_json)


def _cluster(address: str | None) -> RayCluster:
    from training.fitting.distribute import RayCluster

    return RayCluster(address=address)


def parameters_of(config: Path | None, seed: int) -> TrainingConfig:
    """Return the training parameters of a file, or the usual ones, with a seed."""
    from training.fitting.config import TrainingConfig, read_config

    return replace(TrainingConfig() if config is None else read_config(config), seed=seed)


def evaluate(
    model_version: VersionArgument,
    cohort: CohortOption,
    output: Annotated[
        Path, typer.Option("--output", help="Where to write the prediction table (Parquet).")
    ] = Path("predictions.parquet"),
    as_json: AsJson = False,
) -> None:
    """Validate a registered model on any cohort: scores, and the prediction table as Parquet."""
    import pandas as pd

    from contracts.predictions import CANDIDATE, ORIGIN, REFUSED, SUBJECT
    from features.cohort import read_cohort
    from features.sequences import cohort_sequences
    from inference.bundle import forecast_batch, load_bundle, verify_bundle
    from inference.out_of_distribution import is_out_of_distribution
    from training.comparison.evaluate import scores_by_horizon
    from training.predictions import prediction_table
    from training.registry.register import BUNDLE_FOLDER, fetch, find

    settings = Settings()
    version = find(settings.store, model_version)
    folder = fetch(settings.store, version, BUNDLE_FOLDER)
    bundle = load_bundle(folder, expected_digest=verify_bundle(folder))
    read = read_cohort(cohort)
    batch = cohort_sequences(read.events, bundle.task, bundle.layout)
    table = prediction_table(batch, forecast_batch(bundle, batch), bundle.task, model=CANDIDATE)
    refused = pd.DataFrame(
        {
            SUBJECT: batch.subject_B,
            ORIGIN: batch.origin_day_B,
            REFUSED: is_out_of_distribution(bundle.reference, batch),
        }
    )
    table = table.merge(refused, on=[SUBJECT, ORIGIN], how="left", validate="many_to_one")
    table.to_parquet(output, index=False)
    scores = [asdict(score) for score in scores_by_horizon(table)]
    record = {
        "model_version": model_version,
        "bundle_digest": bundle.digest,
        "cohort": read.provenance.name,
        "simulated": read.provenance.simulated,
        "seen_in_training": read.digest == bundle.manifest.data_digest,
        "predictions": str(output),
        "horizons": scores,
    }
    emit(record, _scores_table(record), as_json=as_json)


def _scores_table(record: dict[str, Any]) -> Table:
    warning = (
        "This is the cohort it was trained on: NOT an external validation"
        if record["seen_in_training"]
        else None
    )
    label = "SIMULATED " if record["simulated"] else ""
    table = Table(
        "week",
        "subjects",
        "outcomes",
        "MAE",
        "CRPS",
        "bias",
        "80 % holds",
        "width",
        title=f"{record['model_version']} on {label}{record['cohort']}",
        caption=warning,
    )
    for row in record["horizons"]:
        table.add_row(
            f"{row['weeks']:g}",
            str(row["subjects"]),
            str(row["outcomes"]),
            f"{row['mae']:.2f}",
            f"{row['crps']:.2f}",
            f"{row['bias']:+.2f}",
            f"{row['coverage_80']:.0%}",
            f"{row['width_80']:.1f}",
        )
    return table
