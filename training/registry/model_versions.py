"""Registered model versions: register, find and fetch them, and mirror the champion's alias.

A version is written `NAME/N` everywhere; MLflow's client returns numbers in some places and text in
others. The alias only mirrors the promotion ledger: nothing here or in serving relies on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.artifacts
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from contracts.errors import EvidenceMissing
from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import Layout
from training.tracking import Run, Store

CHAMPION = "champion"
BUNDLE_FOLDER, BENCHMARK_FOLDER = "bundle", "benchmark"
PREDICTIONS_FILE = "predictions.parquet"
SPLITS_FILE = "subject_splits.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A registered version and the run that it is from."""

    name: str
    version: str
    run_id: str
    tags: dict[str, str]

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


def write_signature(folder: Path, layout: Layout, *, days: int, run_id: str) -> None:
    """Write MLflow's `MLmodel` file, so that the registry shows names, types and shapes."""
    channels, person = len(layout.channels_C), len(layout.person_S)
    inputs = {
        "values": (-1, days, channels),
        "observed": (-1, days, channels),
        "days_since_onset": (-1, days),
        "origin_day": (-1,),
        "person": (-1, person),
        "person_known": (-1, person),
    }
    outputs = {"quantiles": (-1, len(layout.horizon_days_H), len(QUANTILE_LEVELS))}
    input_schema, output_schema = (
        Schema([TensorSpec(np.dtype(np.float32), shape, name) for name, shape in shapes.items()])
        for shapes in (inputs, outputs)
    )
    folder.mkdir(parents=True, exist_ok=True)
    Model(
        artifact_path=BUNDLE_FOLDER,
        run_id=run_id,
        signature=ModelSignature(input_schema, output_schema),
        flavors={"rehabcast": {"manifest": "manifest.json"}},
    ).save(str(folder / "MLmodel"))


def register(run: Run, folder: Path, *, name: str, tags: dict[str, str]) -> ModelVersion:
    """Log a bundle to the run and register it as the next version of a model."""
    run.client.log_artifacts(run.run_id, str(folder), BUNDLE_FOLDER)
    try:
        run.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    artifacts = run.client.get_run(run.run_id).info.artifact_uri
    registered = run.client.create_model_version(
        name, f"{artifacts}/{BUNDLE_FOLDER}", run.run_id, tags=tags
    )
    return ModelVersion(name=name, version=str(registered.version), run_id=run.run_id, tags=tags)


def find(store: Store, model_version: str) -> ModelVersion:
    """Find a version by `NAME/N`.

    Raises
    ------
    EvidenceMissing
        It is not written as NAME/N, or no such version is registered.
    """
    name, _, number = model_version.rpartition("/")
    if not name or not number.isdigit():
        raise EvidenceMissing(
            f"{model_version!r} is not a model version",
            "write NAME/N, as `rehabcast train` prints it",
        )
    try:
        registered = store.client().get_model_version(name, number)
    except MlflowException:
        raise EvidenceMissing(
            f"there is no model version {model_version} in the registry",
            "train one first (rehabcast train)",
        ) from None
    return ModelVersion(
        name=name, version=number, run_id=str(registered.run_id), tags=dict(registered.tags)
    )


def fetch(store: Store, model_version: ModelVersion, path: str) -> Path:
    """Return a local path of a file or folder that the version's run logged.

    Raises
    ------
    EvidenceMissing
        The run did not log it.
    """
    run = store.client().get_run(model_version.run_id)
    missing = EvidenceMissing(
        f"the run of {model_version} has no {path}",
        "register the version again (rehabcast train), or restore the artifacts of its run",
    )
    try:
        local = mlflow.artifacts.download_artifacts(
            artifact_uri=f"{run.info.artifact_uri}/{path}", tracking_uri=store.tracking_uri
        )
    except (MlflowException, OSError):
        raise missing from None
    if not Path(local).exists():
        raise missing
    return Path(local)


def attach_benchmark(store: Store, model_version: ModelVersion, benchmark_run: str) -> None:
    """Copy the files of a benchmark to the run of the version that it selected."""
    client = store.client()
    with TemporaryDirectory() as folder:
        files = mlflow.artifacts.download_artifacts(
            run_id=benchmark_run, tracking_uri=store.tracking_uri, dst_path=folder
        )
        client.log_artifacts(model_version.run_id, files, BENCHMARK_FOLDER)
    client.set_tag(model_version.run_id, "benchmark_run", benchmark_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionAliases:
    """MLflow's alias `champion` of every model: a mirror of the ledger that nothing relies on."""

    store: Store

    def version(self, model: str) -> str | None:
        """Return the version that a model's alias points to; None if it has no alias."""
        try:
            return str(self.store.client().get_model_version_by_alias(model, CHAMPION).version)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise

    def set_version(self, model: str, version: str | None) -> None:
        """Point a model's alias at a version; None removes it."""
        client: MlflowClient = self.store.client()
        if version is None:
            client.delete_registered_model_alias(model, CHAMPION)
        else:
            client.set_registered_model_alias(model, CHAMPION, version)
