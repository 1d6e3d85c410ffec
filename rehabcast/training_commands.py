"""`rehabcast train`, `benchmark` and `evaluate`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from rehabcast.output import AsJson, emit, progress, words
from rehabcast.settings import Settings

CohortOption = Annotated[
    Path, typer.Option("--cohort", help="Cohort folder, as `cohort import` or `simulate` wrote it.")
]
TaskOption = Annotated[Path, typer.Option("--task", help="Task file: what is forecast, from what.")]
VersionArgument = Annotated[
    str, typer.Argument(metavar="MODEL_VERSION", help="NAME/N, as `rehabcast train` prints it.")
]


def train(
    cohort: CohortOption,
    task: TaskOption,
    model: Annotated[str, typer.Option("--model", help="Name to register under.")],
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train on a cohort and register a candidate; interrupted, the same command goes on."""
    record = run_training(cohort, task, model, seed)
    emit(record, f"Registered candidate {record['model_version']}.", as_json=as_json)
    if not as_json:
        words.print(f"Next: rehabcast audit {record['model_version']}")


def run_training(cohort: Path, task: Path, model: str, seed: int) -> dict[str, Any]:
    """Train with a progress bar; return the record that `train --json` prints."""
    from features.cohort import read_cohort
    from rehabcast.evidence import sign_bundle
    from training.config import TrainingConfig
    from training.task import read_task
    from training.train import steps
    from training.train import train as train_model

    settings, config = Settings(), TrainingConfig(seed=seed)
    forecast_task = read_task(task)
    read = read_cohort(cohort)
    with progress("Training", steps(config)) as advance:
        version = train_model(
            read,
            forecast_task,
            config,
            model=model,
            store=settings.store,
            checkpoints=settings.checkpoints,
            advance=advance,
        )
    sign_bundle(settings, version)
    return {
        "model_version": str(version),
        "run_id": version.run_id,
        "simulated": read.provenance.simulated,
        "data_digest": read.digest,
    }


def benchmark(
    cohort: CohortOption,
    task: TaskOption,
    repeats: Annotated[int, typer.Option(min=1, help="Fresh deals into folds.")] = 5,
    folds: Annotated[int, typer.Option(min=2, help="Folds by subject.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Cross-validate every model family on the same folds, with paired intervals."""
    from features.cohort import read_cohort
    from features.sequences import training_sequences
    from training.benchmark import benchmark as run_benchmark
    from training.benchmark import families
    from training.config import TrainingConfig
    from training.task import read_task

    forecast_task = read_task(task)
    read = read_cohort(cohort)
    batch = training_sequences(read.events, forecast_task)
    competing = families(TrainingConfig())
    with progress("Benchmark", repeats * folds * len(competing)) as advance:
        result = run_benchmark(
            batch,
            forecast_task,
            competing,
            repeats=repeats,
            folds=folds,
            seed=seed,
            advance=advance,
        )
    record = {
        "cohort": read.provenance.name,
        "simulated": read.provenance.simulated,
        "data_digest": read.digest,
        **result.as_record(),
    }
    emit(record, leaderboard(record), as_json=as_json)


def leaderboard(record: dict[str, Any]) -> Table:
    """Return the benchmark as a table; differences are the first family minus the row's."""
    label = "SIMULATED " if record["simulated"] else ""
    price = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in record["fit_seconds"].items())
    table = Table(
        title=f"{label}{record['cohort']}, {record['repeats']} x {record['folds']}-fold by subject",
        caption="difference: the first model minus this one, with its 95 % interval by subject"
        " bootstrap; below 0 the first is better. Early: within the task's early_days of onset."
        f" Fit: {price}",
    )
    for heading in (
        "who", "week", "model", "n", "MAE", "CRPS", "80 % holds", "MAE difference",
        "CRPS difference",
    ):  # fmt: skip
        table.add_column(heading, no_wrap=heading not in {"80 % holds"})
    for row in record["rows"]:
        table.add_row(
            row["population"],
            str(row["weeks"]),
            row["model"],
            str(row["subjects"]),
            f"{row['mae']:.2f}",
            f"{row['crps']:.2f}",
            f"{row['coverage_80']:.0%}",
            _difference(row["mae_difference"]),
            _difference(row["crps_difference"]),
        )
    return table


def _difference(difference: dict[str, float] | None) -> str:
    if difference is None:
        return ""
    return "{mean:+.2f} [{low:+.2f}, {high:+.2f}]".format(**difference)


def evaluate(
    model_version: VersionArgument,
    cohort: CohortOption,
    output: Annotated[
        Path, typer.Option("--output", help="Where to write the prediction table (Parquet).")
    ] = Path("predictions.parquet"),
    as_json: AsJson = False,
) -> None:
    """Validate a registered model on any cohort: scores, and the prediction table as Parquet."""
    from contracts.predictions import CANDIDATE
    from features.cohort import read_cohort
    from features.sequences import cohort_sequences
    from serving.bundle import forecast_batch, load_bundle, verify_bundle
    from training.evaluate import scores_by_horizon
    from training.predictions import prediction_table
    from training.register import BUNDLE_FOLDER, fetch, find

    settings = Settings()
    version = find(settings.store, model_version)
    folder = fetch(settings.store, version, BUNDLE_FOLDER)
    bundle = load_bundle(folder, expected_digest=verify_bundle(folder))
    read = read_cohort(cohort)
    batch = cohort_sequences(read.events, bundle.task, bundle.layout)
    table = prediction_table(batch, forecast_batch(bundle, batch), bundle.task, model=CANDIDATE)
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
