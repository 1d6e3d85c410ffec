"""Registered model versions: register, find and fetch them, and mirror the champion's alias.

A version is written `NAME/N` everywhere; MLflow's client returns numbers in some places and text in
others. The alias only mirrors the promotion ledger: nothing here or in serving relies on it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from sqlalchemy.exc import SQLAlchemyError

from contracts.bundle import MANIFEST_FILE
from contracts.errors import ContractError, EvidenceMissing, ServiceUnavailable
from contracts.naming.model_version import new_model_name, split_version
from contracts.naming.names import comparable, shown
from contracts.predictions import QUANTILE_COLUMNS
from training.tracking import Run, Store

CHAMPION = "champion"
BUNDLE_FOLDER, BENCHMARK_FOLDER = "bundle", "benchmark"
ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""MLflow's codes for what is not there; any other means that it cannot answer."""
LOADER_MODULE = "rehabcast.pyfunc"
"""Module that MLflow imports to load a bundle; nothing here does."""
PREDICTIONS_FILE, FOLLOW_UP_FILE = "predictions.parquet", "follow-up.parquet"
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


def write_model_file(folder: Path, *, run_id: str) -> None:
    """Write MLflow's `MLmodel` file: what the registry shows, and how MLflow loads the bundle.

    MLflow imports the loader by its name; it verifies the bundle and unpickles nothing.
    """
    inputs = [
        ColSpec(DataType.string, "subject"),
        ColSpec(DataType.long, "enrolment_day"),
        ColSpec(DataType.string, "code"),
        ColSpec(DataType.double, "day_since_onset", required=False),
        ColSpec(DataType.double, "value", required=False),
        ColSpec(DataType.string, "label", required=False),
    ]
    outputs = [
        ColSpec(DataType.string, "subject"),
        *(ColSpec(DataType.double, name) for name in ("origin_day", "horizon_day")),
        *(ColSpec(DataType.double, name) for name in QUANTILE_COLUMNS),
        ColSpec(DataType.string, "reason"),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    Model(
        artifact_path=BUNDLE_FOLDER,
        run_id=run_id,
        signature=ModelSignature(Schema(inputs), Schema(outputs)),
        flavors={
            "rehabcast": {"manifest": MANIFEST_FILE},
            "python_function": {
                "loader_module": LOADER_MODULE,
                "python_version": platform.python_version(),
            },
        },
    ).save(str(folder / "MLmodel"))


def check_model_name(client: MlflowClient, name: str) -> None:
    """Check that a version may be registered under a name.

    Raises
    ------
    ContractError
        It is not the one spelling of a model's name, or cannot be told from that of another model.
    """
    new_model_name(name)
    token: str | None = None
    while True:
        page = client.search_registered_models(page_token=token)
        for model in page:
            if model.name != name and comparable(model.name) == comparable(name):
                raise ContractError(
                    f"{name!r} cannot be told from the model {shown(model.name)!r}, which is"
                    " registered already",
                    f"register under {model.name!r}, or choose a name that differs in more than"
                    " case or width",
                )
        if not (token := page.token):
            return


def register(
    run: Run,
    folder: Path,
    *,
    name: str,
    tags: dict[str, str],
    description: str = "",
    of_all: str = "",
) -> ModelVersion:
    """Log a bundle to the run and register it as the next version of a model.

    Parameters
    ----------
    of_all
        Description of the model, where this is its first version.

    Raises
    ------
    ContractError
        As `check_model_name`.
    """
    check_model_name(run.client, name)
    run.client.log_artifacts(run.run_id, str(folder), BUNDLE_FOLDER)
    try:
        run.client.create_registered_model(name, description=of_all)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    artifacts = run.client.get_run(run.run_id).info.artifact_uri
    registered = run.client.create_model_version(
        name, f"{artifacts}/{BUNDLE_FOLDER}", run.run_id, tags=tags, description=description
    )
    return ModelVersion(name=name, version=str(registered.version), run_id=run.run_id, tags=tags)


def find(store: Store, model_version: str) -> ModelVersion:
    """Find a version by `NAME/N`.

    Raises
    ------
    ContractError
        It is not written as NAME/N, or is another spelling of it, such as `arm/01`.
    EvidenceMissing
        No such version is registered.
    ServiceUnavailable
        The registry does not answer.
    """
    name, number = split_version(model_version)
    missing = EvidenceMissing(
        f"there is no model version {model_version} in the registry",
        "train one first (rehabcast train), or check REHABCAST_TRACKING_URI",
    )
    try:
        with _answering():
            registered = store.client().get_model_version(name, number)
    except MlflowException as error:
        raise missing from error
    # A registry that ignores case would answer with another model.
    if (registered.name, str(registered.version)) != (name, number):
        raise missing
    return ModelVersion(
        name=name, version=number, run_id=str(registered.run_id), tags=dict(registered.tags)
    )


def fetch(store: Store, model_version: ModelVersion, path: str) -> Path:
    """Return a local path of a file or folder that the version's run logged.

    Raises
    ------
    EvidenceMissing
        The run did not log it.
    ServiceUnavailable
        The registry, or the store of its artifacts, does not answer.
    """
    client = store.client()
    missing = EvidenceMissing(
        f"the run of {model_version} has no {path}",
        "register the version again (rehabcast train), or restore the artifacts of its run",
    )
    try:
        with _answering():
            run = client.get_run(model_version.run_id)
    except MlflowException as error:
        raise missing from error
    try:
        local = mlflow.artifacts.download_artifacts(
            artifact_uri=f"{run.info.artifact_uri}/{path}", tracking_uri=store.tracking_uri
        )
    except (MlflowException, OSError) as error:
        # Missing only if the run's own list does not have it: else the store is away.
        if _is_logged(client, model_version.run_id, path):
            raise _unavailable() from error
        raise missing from error
    if not Path(local).exists():
        raise missing
    return Path(local)


def _is_logged(client: MlflowClient, run_id: str, path: str) -> bool:
    try:
        with _answering():
            logged = client.list_artifacts(run_id, path.rpartition("/")[0] or None)
    except MlflowException:
        return False
    return any(entry.path == path for entry in logged)


@contextmanager
def _answering() -> Iterator[None]:
    """Let MLflow's answer through that something does not exist; any other failure is its own.

    Raises
    ------
    ServiceUnavailable
        The registry does not answer. No address is named: it may hold a password.
    """
    try:
        yield
    except MlflowException as error:
        if error.error_code in ABSENT:
            raise
        raise _unavailable() from error
    except (OSError, SQLAlchemyError) as error:
        raise _unavailable() from error


def _unavailable() -> ServiceUnavailable:
    return ServiceUnavailable(
        "the registry does not answer", "check that MLflow and the store of its artifacts run"
    )


def fetch_of_bundle(folder: Path, path: str, destination: Path) -> Path:
    """Return a local copy of a file that the run of a downloaded bundle logged.

    The run is looked up where `mlflow.set_tracking_uri` points, as the bundle itself was.

    Raises
    ------
    EvidenceMissing
        The bundle names no run, or its run did not log the file.
    """
    try:
        run_id = Model.load(str(folder)).run_id
        local = mlflow.artifacts.download_artifacts(
            run_id=run_id, artifact_path=path, dst_path=str(destination)
        )
    except (MlflowException, OSError) as error:
        raise EvidenceMissing(
            f"the run of this bundle has no {path}",
            "load the version from the registry that it is in (models:/NAME/N)",
        ) from error
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
