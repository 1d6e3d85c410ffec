"""The same work over a Ray cluster (extra `scale`), for cohorts that one machine is slow for.

Ray Data hands subjects to workers: their raw files to collect, or their minutes to turn into days.
Each worker writes its subjects' results itself, whole or not at all, so one that dies half-way
leaves nothing wrong and its subjects are done again by another. All nodes must see the files and
the cohort's folder under the same paths and have this program installed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from contracts.errors import Problem
from features.ray_cluster import connected, import_ray
from features.extract import Run, extract_batch
from features.importing import subject_jobs as store

SUBJECTS_A_TASK = 20


def on_ray(address: str | None, subjects_a_task: int = SUBJECTS_A_TASK) -> Run:
    """Return a runner that extracts over a Ray cluster.

    Parameters
    ----------
    address
        Of the cluster, such as `10.0.0.1:6379`; None starts one on this machine.
    subjects_a_task
        Subjects that are handed out together.

    Raises
    ------
    ContractError
        The extra `scale` is not installed.
    """
    ray = import_ray("data")

    def run(files: Sequence[Path], days: Path) -> Iterator[Problem]:
        if not files:
            return
        with connected(ray, address):
            yield from _over_cluster(ray.data, files, days, subjects_a_task)

    return run


def collect_on_ray(address: str | None) -> store.Run:
    """Return a runner that collects raw recordings over a Ray cluster, a subject a task.

    Raises
    ------
    ContractError
        The extra `scale` is not installed.
    """
    ray = import_ray("data")

    def run(shares: Sequence[store.Share]) -> None:
        rows = [{"share": share.as_json()} for share in shares]
        with connected(ray, address):
            _quiet(ray.data)
            done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(_collect_row)
            for _ in done.iter_rows():
                pass

    return run


def _collect_row(row: dict[str, Any]) -> dict[str, Any]:
    """Do one subject on a worker."""
    store.collect_share(store.Share.from_json(row["share"]))
    return {"subjects": 1}


def _quiet(data: Any) -> None:
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    data.DataContext.get_current().enable_progress_bars = False


def _over_cluster(
    data: Any, files: Sequence[Path], days: Path, subjects_a_task: int
) -> Iterator[Problem]:
    batches = [
        {
            "files": [str(file.resolve()) for file in files[start : start + subjects_a_task]],
            "days": str(days.resolve()),
        }
        for start in range(0, len(files), subjects_a_task)
    ]
    _quiet(data)
    done = data.from_items(batches, override_num_blocks=len(batches)).map(_extract_row)
    for row in done.iter_rows():
        for problem in row["problems"]:
            yield Problem(**{**problem, "row": None})


def _extract_row(row: dict[str, Any]) -> dict[str, Any]:
    """Do one batch on a worker."""
    problems = extract_batch([Path(file) for file in row["files"]], Path(row["days"]))
    told = [{k: v for k, v in asdict(p).items() if k != "row"} for p in problems]
    # Ray's tables can't hold an empty list of records beside a filled one.
    return {"problems": told or [], "subjects": len(row["files"])}
