"""The bench: registered versions and benchmarks, with what they are made of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from contracts.errors import ServiceUnavailable
from rehabcast.auditing.mirroring import bound_registry_calls
from rehabcast.settings import Settings
from serving.pages.page import Answer, Visit

MOST_VERSIONS, MOST_BENCHMARKS = 20, 5
MEASURES = ("mae", "crps", "coverage_80", "width_80")
DIGESTS = ("data_digest", "task_digest", "config_digest", "code_digest", "splits_digest")
LEADERBOARD = "leaderboard.json"
AWAY = ServiceUnavailable("the registry does not answer", "try again later, or tell the operator")


def bench(visit: Visit) -> Answer:
    """Show registered versions, newest first, and the latest benchmarks."""
    bound_registry_calls()
    client = Settings().store.client()
    try:
        registered = client.search_model_versions(max_results=MOST_VERSIONS)
        versions = [_version(client, each) for each in registered]
        experiments = [each.experiment_id for each in client.search_experiments()]
        runs = client.search_runs(
            experiments, "tags.mlflow.runName LIKE 'benchmark %'", max_results=MOST_BENCHMARKS
        )
        boards = [board for run in runs if (board := _board(client, run)) is not None]
    except MlflowException:
        raise AWAY from None
    facts = {"versions": sorted(versions, key=lambda v: v["at"], reverse=True), "boards": boards}
    return Answer(template="bench.html", facts=facts)


def _version(client: Any, registered: Any) -> dict[str, Any]:
    run = client.get_run(registered.run_id)
    metrics, params = run.data.metrics, run.data.params
    models = sorted(
        {name.split("/")[1] for name in metrics if name.startswith("out_of_fold/")},
        key=lambda name: metrics.get(f"out_of_fold/{name}/crps", float("inf")),
    )
    return {
        "name": f"{registered.name}/{registered.version}", "run": registered.run_id,
        "at": datetime.fromtimestamp(registered.creation_timestamp / 1000, UTC),
        "cohort": run.data.tags.get("cohort", ""),
        "simulated": run.data.tags.get("simulated") == "True",
        "family": params.get("architecture", ""), "seed": params.get("seed", ""),
        "rows": [
            (name, {each: metrics.get(f"out_of_fold/{name}/{each}") for each in MEASURES})
            for name in models
        ],
        "digests": [(name, params[name]) for name in DIGESTS if params.get(name)],
        "settings": [
            f"{name} = {value if _is_number(value) else json.dumps(value)}"
            for name, value in sorted(params.items())
            if not name.endswith(("_digest", "_reason")) and name != "seed"
        ],
    }  # fmt: skip


def _board(client: Any, run: Any) -> dict[str, Any] | None:
    if LEADERBOARD not in {each.path for each in client.list_artifacts(run.info.run_id)}:
        return None
    with TemporaryDirectory() as folder:
        path = download_artifacts(
            run_id=run.info.run_id, artifact_path=LEADERBOARD, dst_path=folder,
            tracking_uri=client.tracking_uri,
        )  # fmt: skip
        record = json.loads(Path(path).read_text("utf-8"))
    return {"run": run.info.run_id, "tags": run.data.tags, "rows": record["benchmark"]["rows"]}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
