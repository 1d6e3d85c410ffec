"""Collects and extracts over a Ray cluster (extra `scale`), for cohorts too large for one machine.

Ray Data hands subjects to workers: their raw files to collect, or their minutes to turn into days.
Each worker writes its subjects' results itself, whole or not at all, so a worker that dies half-way
leaves nothing wrong and another one does its subjects again. All nodes must see the files and the
cohort's folder under the same paths and have this program installed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from contracts.errors import Problem
from features.extract import ExtractionRunner, extract_batch
from features.importing.subject_jobs import JobRunner, SubjectJob, run_job
from features.ray_cluster import connected, import_ray

SUBJECTS_A_TASK = 20


def extract_on_ray(address: str | None, subjects_a_task: int = SUBJECTS_A_TASK) -> ExtractionRunner:
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
            yield from _extract_over_cluster(ray.data, files, days, subjects_a_task)

    return run


def collect_on_ray(address: str | None) -> JobRunner:
    """Return a runner that collects raw recordings over a Ray cluster, one subject per task.

    Raises
    ------
    ContractError
        The extra `scale` is not installed.
    """
    ray = import_ray("data")

    def run(jobs: Sequence[SubjectJob]) -> None:
        rows = [{"job": job.as_json()} for job in jobs]
        with connected(ray, address):
            _silence(ray.data)
            done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(_collect_row)
            for _ in done.iter_rows():
                pass

    return run


def _collect_row(row: dict[str, Any]) -> dict[str, Any]:
    """Collect one subject on a worker."""
    run_job(SubjectJob.from_json(row["job"]))
    return {"subjects": 1}


def _silence(data: Any) -> None:
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    data.DataContext.get_current().enable_progress_bars = False


def _extract_over_cluster(
    data: Any, files: Sequence[Path], days: Path, subjects_a_task: int
) -> Iterator[Problem]:
    batches = [
        {
            "files": [str(file.resolve()) for file in files[start : start + subjects_a_task]],
            "days": str(days.resolve()),
        }
        for start in range(0, len(files), subjects_a_task)
    ]
    _silence(data)
    done = data.from_items(batches, override_num_blocks=len(batches)).map(_extract_row)
    for row in done.iter_rows():
        for problem in row["problems"]:
            yield Problem(**{**problem, "row": None})


def _extract_row(row: dict[str, Any]) -> dict[str, Any]:
    """Extract one batch of subjects on a worker."""
    problems = extract_batch([Path(file) for file in row["files"]], Path(row["days"]))
    # Ray's tables can't hold an empty list of records beside a filled one.
    records = [{k: v for k, v in asdict(p).items() if k != "row"} for p in problems]
    return {"problems": records, "subjects": len(row["files"])}
