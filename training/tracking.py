"""Runs in MLflow: parameters, metrics, figures and digests, always closed with a final status."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from contracts.errors import EvidenceMissing, ServiceUnavailable
from stores.database import Kept, open_kept, sqlite_file
from stores.private_files import make_private_folder
from training.artifact_places import bring_along, local_folder

EXPERIMENT = "rehabcast"
OTHER_MLFLOW = "out-of-date database schema"
"""What MLflow says of a database that another version of it wrote."""
KEPT = Kept(
    name="registry of models",
    setting="REHABCAST_TRACKING_URI",
    tables=("experiments",),
    made_by="rehabcast train",
)


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

    def client(self, *, make: bool = False) -> MlflowClient:
        """Return a client.

        Parameters
        ----------
        make
            Whether a registry that is not there is made.

        Raises
        ------
        EvidenceMissing
            There is none, and none is made; or it is this home's own, and its artifacts are not
            in this home.
        ServiceUnavailable, ReadableByOthers
            It cannot be opened.
        """
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        if not self.is_server:
            self._open(make=make)
        try:
            return MlflowClient(self.tracking_uri)
        except MlflowException as error:
            if OTHER_MLFLOW not in str(error):
                raise
            raise ServiceUnavailable(
                "the registry was written by another version of MLflow than is installed here",
                "back it up, and bring it up to date with `mlflow db upgrade` and its address; or"
                " use the version of rehabcast that wrote it",
            ) from None

    @property
    def is_server(self) -> bool:
        """Whether it is behind MLflow's server, which decides itself where artifacts lie."""
        return self.tracking_uri.startswith(("http://", "https://"))

    def _open(self, *, make: bool) -> None:
        """Check the registry's database, and bring its addresses along if its home was moved."""
        try:
            engine = open_kept(self.tracking_uri, KEPT)
        except EvidenceMissing:
            if not make:
                raise
            # MLflow makes the database, and its folder for everybody to read.
            make_private_folder(self.artifacts)
            if (file := self._file) is not None:
                make_private_folder(file.parent)
            return
        try:
            if (file := self._file) is not None and file.is_relative_to(self._home):
                bring_along(engine, EXPERIMENT, self.artifacts)
        finally:
            engine.dispose()

    @property
    def _file(self) -> Path | None:
        file = sqlite_file(self.tracking_uri)
        return None if file is None else file.resolve()

    @property
    def _home(self) -> Path:
        return self.artifacts.resolve().parent

    def experiment_id(self, client: MlflowClient) -> str:
        """Return the experiment that runs of ours are in, made where there is none.

        Raises
        ------
        EvidenceMissing
            It was deleted in MLflow. Or its artifacts are in another folder of this machine than
            this home's, and the registry is not this home's own, so that its addresses are not ours
            to change.
        """
        experiment, here = client.get_experiment_by_name(EXPERIMENT), self.artifacts.resolve()
        if experiment is None:
            return str(
                client.create_experiment(EXPERIMENT, None if self.is_server else here.as_uri())
            )
        if experiment.lifecycle_stage != "active":
            number = experiment.experiment_id
            raise EvidenceMissing(
                f"the experiment {EXPERIMENT!r} was deleted in MLflow, with all of its runs",
                "restore it with MLflow's own program, its address in MLFLOW_TRACKING_URI:"
                f" `mlflow experiments restore --experiment-id {number}`",
            )
        if self._is_of_another_home(local_folder(experiment.artifact_location)):
            raise EvidenceMissing(
                f"the registry keeps artifacts in {experiment.artifact_location}, and this home is"
                f" {here.parent}",
                "set REHABCAST_HOME to the home that they belong to, or give this home a registry"
                " of its own (REHABCAST_TRACKING_URI): a copy of a home does not write into the"
                " folder that it is a copy of",
            )
        return str(experiment.experiment_id)

    def _is_of_another_home(self, folder: Path | None) -> bool:
        """Tell whether runs would go into another home; a server's own choice is none."""
        here = self.artifacts.resolve()
        is_a_homes = not self.is_server or (folder is not None and folder.name == here.name)
        return folder not in {None, here} and is_a_homes


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
    client = store.client(make=True)
    experiment_id = store.experiment_id(client)
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
