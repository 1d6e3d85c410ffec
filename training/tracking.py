"""Runs in MLflow: parameters, metrics, figures and digests, always closed with a final status."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric
from mlflow.exceptions import MlflowException
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.utils import mlflow_tags

from contracts.cohort import Cohort
from contracts.errors import EvidenceMissing, ServiceUnavailable
from stores.database import Kept, open_kept, sqlite_file
from stores.private_files import make_private_folder
from training.artifact_places import bring_along, local_folder
from training.checkout import commit_of_checkout

EXPERIMENT = "rehabcast"
KIND, OF_MODELS = "mlflow.experimentKind", "custom_model_development"
"""Tag of an experiment by which MLflow's pages show trainings; without it they ask for prompts."""
OTHER_MLFLOW = "out-of-date database schema"
"""What MLflow says of a database that another version of it wrote."""
INPUTS = "inputs_digest"
"""Tag of a run: what all of its results follow from."""
LONGEST_DIGEST, BATCH = 36, 1000
"""MLflow's limits: characters of a dataset's digest, metrics in one request."""
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
            place = None if self.is_server else here.as_uri()
            return str(client.create_experiment(EXPERIMENT, place, tags={KIND: OF_MODELS}))
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
        if KIND not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, KIND, OF_MODELS)
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

    def log_curve(self, curve: Sequence[Mapping[str, float]], of: str) -> None:
        """Log the finite numbers of each epoch, as the steps of one metric each."""
        metrics = [
            Metric(f"{name}/{of}", value, 0, epoch)
            for epoch, values in enumerate(curve)
            for name, value in values.items()
            if math.isfinite(value)
        ]
        for first in range(0, len(metrics), BATCH):
            self.client.log_batch(self.run_id, metrics[first : first + BATCH])

    def log_cohort(self, cohort: Cohort, context: str) -> None:
        """Log a cohort as a dataset of MLflow: name, digest and source, and no row of it.

        Parameters
        ----------
        context
            What it was used for, such as `training`.
        """
        made_from = cohort.provenance
        dataset = Dataset(
            name=made_from.name,
            digest=cohort.digest[:LONGEST_DIGEST],
            source_type="simulated" if made_from.simulated else "cohort",
            source=json.dumps({"made_from": made_from.source, "digest": cohort.digest}),
        )
        tag = InputTag(mlflow_tags.MLFLOW_DATASET_CONTEXT, context)
        self.client.log_inputs(self.run_id, [DatasetInput(dataset, [tag])])

    def describe(self, name: str, description: str) -> None:
        """Show a name and a description (Markdown) of the run."""
        self.client.update_run(self.run_id, name=name)
        self.client.set_tag(self.run_id, mlflow_tags.MLFLOW_RUN_NOTE, description)

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Log one file."""
        self.client.log_artifact(self.run_id, str(path), folder)


@contextmanager
def run(
    store: Store,
    *,
    name: str,
    tags: Mapping[str, str],
    parent: Run | None = None,
    inputs_digest: str | None = None,
) -> Iterator[Run]:
    """Open a run; it ends as FINISHED, as FAILED on an error, or as KILLED on Ctrl-C.

    Its use of processor and memory is logged with it, and the commit of the code where that is a
    checkout.

    Parameters
    ----------
    parent
        The run that this one is nested under.
    inputs_digest
        Of everything that the results follow from. A run that was broken off with the same inputs
        goes on, so that one training is one run however often it was stopped.
    """
    client = store.client(make=True)
    experiment_id = store.experiment_id(client)
    source = {mlflow_tags.MLFLOW_SOURCE_NAME: "rehabcast", mlflow_tags.MLFLOW_SOURCE_TYPE: "LOCAL"}
    tags = {**tags, **source}
    if (commit := commit_of_checkout()) is not None:
        tags[mlflow_tags.MLFLOW_GIT_COMMIT] = commit
    if parent is not None:
        tags[mlflow_tags.MLFLOW_PARENT_RUN_ID] = parent.run_id
    if inputs_digest is not None:
        tags[INPUTS] = inputs_digest
    run_id = _broken_off(client, experiment_id, inputs_digest)
    if run_id is None:
        run_id = client.create_run(experiment_id, run_name=name, tags=tags).info.run_id
    else:
        client.update_run(run_id, status="RUNNING")
        for tag, text in tags.items():
            client.set_tag(run_id, tag, text)
    use = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=store.tracking_uri)
    use.start()
    status = "FAILED"
    try:
        yield Run(client=client, run_id=run_id)
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        use.finish()
        client.set_terminated(run_id, status)


def log_once(
    store: Store,
    *,
    name: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    files: Iterable[Path],
) -> None:
    """Log a finished run of a moment: finite numbers and files, without its use of the machine."""
    client = store.client()
    made = client.create_run(store.experiment_id(client), run_name=name, tags=dict(tags))
    of_moment = Run(client=client, run_id=made.info.run_id)
    status = "FAILED"
    try:
        of_moment.log_metrics({key: x for key, x in metrics.items() if math.isfinite(x)})
        for file in files:
            of_moment.log_file(file)
        status = "FINISHED"
    finally:
        client.set_terminated(of_moment.run_id, status)


def _broken_off(client: MlflowClient, experiment_id: str, inputs_digest: str | None) -> str | None:
    """Return the last run with the same inputs that did not come to its end, if there is one."""
    if inputs_digest is None:
        return None
    same = f"tags.{INPUTS} = '{inputs_digest}' and attributes.status != 'FINISHED'"
    found = client.search_runs([experiment_id], same, max_results=1)
    return found[0].info.run_id if found else None
