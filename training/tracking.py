"""Runs in MLflow: parameters, metrics, figures and digests, always closed with a final status."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

EXPERIMENT = "rehabcast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where runs and artifacts are stored.

    Parameters
    ----------
    tracking_uri
        MLflow tracking and registry store, such as `sqlite:///mlruns/mlflow.db`.
    artifacts
        Folder of artifacts of a local store.
    """

    # It may hold a password, so it is not shown.
    tracking_uri: str = field(repr=False)
    artifacts: Path

    def client(self) -> MlflowClient:
        """Return a client; the store's tables are created on first use."""
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self.artifacts.mkdir(parents=True, exist_ok=True)
        return MlflowClient(self.tracking_uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An open run."""

    client: MlflowClient
    run_id: str

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters as text."""
        for name, value in params.items():
            self.client.log_param(self.run_id, name, value)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log finite numbers."""
        for name, value in metrics.items():
            self.client.log_metric(self.run_id, name, value)

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Log one file."""
        self.client.log_artifact(self.run_id, str(path), folder)


@contextmanager
def run(
    store: Store, *, name: str, tags: Mapping[str, str], parent: Run | None = None
) -> Iterator[Run]:
    """Open a run; it ends as FINISHED, as FAILED on an error, or as KILLED on Ctrl-C.

    Parameters
    ----------
    parent
        The run that this one is nested under.
    """
    client = store.client()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = (
        experiment.experiment_id
        if experiment is not None
        else client.create_experiment(EXPERIMENT, str(store.artifacts.resolve()))
    )
    nested = {} if parent is None else {MLFLOW_PARENT_RUN_ID: parent.run_id}
    started = client.create_run(experiment_id, run_name=name, tags={**tags, **nested})
    run_id = started.info.run_id
    try:
        yield Run(client=client, run_id=run_id)
    except KeyboardInterrupt:
        client.set_terminated(run_id, "KILLED")
        raise
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")
