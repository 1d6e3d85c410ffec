"""Benchmark: how fast cohorts are simulated, how memory grows, and what the floor costs.

Each size runs in a process of its own, whose peak memory the system reports. The baseline for speed
is drawing the same subjects one shard at a time without writing anything. Prints a table and,
as its last line, one JSON object.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from rehabcast.output import stdout_console

SIZES = (5_000, 50_000)
MILLION = 1_000_000
FLOOR_SUBJECTS = 100
TASK = Path(__file__).resolve().parent.parent / "tasks" / "stroke-upper-limb.toml"


def measure(subjects: int, workers: int) -> dict[str, Any]:
    """Simulate that many subjects in a new process; return seconds, peak memory and bytes."""
    with tempfile.TemporaryDirectory() as parent:
        program = [sys.executable, __file__, parent, str(subjects), str(workers)]
        done = subprocess.run(program, capture_output=True, text=True, check=True)  # noqa: S603
    return {"subjects": subjects, "workers": workers, **json.loads(done.stdout)}


def simulate_here(parent: Path, subjects: int, workers: int) -> dict[str, Any]:
    """Simulate in this process, after the baseline of drawing without writing."""
    from contracts.digests import folder_digest
    from features.simulate.scenario import Scenario
    from features.simulate.subjects import draw_subjects
    from features.simulate.write import shard_count, write_simulated

    started = time.perf_counter()
    for shard in range(min(shard_count(subjects), 20)):
        draw_subjects(shard, 0, Scenario())
    drawing = (time.perf_counter() - started) * max(1.0, shard_count(subjects) / 20)
    started = time.perf_counter()
    folder = parent / "cohort"
    write_simulated(folder, subjects=subjects, seed=0, scenario=Scenario(), workers=workers)
    seconds = time.perf_counter() - started
    measured = resource.RUSAGE_SELF if workers == 1 else resource.RUSAGE_CHILDREN
    size = sum(file.stat().st_size for file in parent.rglob("*") if file.is_file())
    digest = folder_digest(folder / "data")
    shutil.rmtree(parent, ignore_errors=True)
    return {
        "seconds": seconds,
        "drawing_seconds": drawing,
        "peak_mebibytes": resource.getrusage(measured).ru_maxrss / 1024,
        "mebibytes_on_disk": size / 2**20,
        "digest": digest,
    }


def measure_floor() -> dict[str, float]:
    """Compute the floor of some subjects; return milliseconds per forecast and its quality."""
    from features.sequences import training_sequences
    from features.simulate import simulate
    from features.simulate.floor import EFFECTIVE, MEAN_ERROR, bayes_floor
    from features.simulate.scenario import Scenario
    from training.task import read_task

    task = read_task(TASK)
    events, _ = simulate(subjects=FLOOR_SUBJECTS, seed=0)
    batch = training_sequences(events, task)
    started = time.perf_counter()
    table = bayes_floor(batch, events, task, Scenario(), seed=0)
    return {
        "milliseconds_a_pair": 1_000 * (time.perf_counter() - started) / len(batch),
        "pairs": len(batch),
        "mean_monte_carlo_error_points": float(table[MEAN_ERROR].mean()),
        "median_effective_draws": float(table[EFFECTIVE].median()),
    }


def main() -> None:
    """Measure every size on one worker and on two, then the floor."""
    rows = [measure(subjects, workers) for subjects in SIZES for workers in (1, 2)]
    for subjects in SIZES:
        digests = {row["digest"] for row in rows if row["subjects"] == subjects}
        if len(digests) != 1:
            raise AssertionError(f"{subjects} subjects: one and two workers wrote different bytes")
    table = Table(
        "subjects", "workers", "seconds", "times drawing alone", "peak MiB a process",
        "MiB on disk", title="SIMULATED cohorts, 180 days each, with their truth",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            f"{row['subjects']:,}",
            str(row["workers"]),
            f"{row['seconds']:.1f}",
            f"{row['seconds'] / row['drawing_seconds']:.1f}",
            f"{row['peak_mebibytes']:.0f}",
            f"{row['mebibytes_on_disk']:.0f}",
        )
    largest = max(rows, key=lambda row: (row["subjects"], row["workers"]))
    factor = MILLION / largest["subjects"]
    plan = {
        "subjects": MILLION,
        "hours": factor * largest["seconds"] / 3_600,
        "gibibytes_on_disk": factor * largest["mebibytes_on_disk"] / 1_024,
        "peak_mebibytes_a_process": largest["peak_mebibytes"],
    }
    floor = measure_floor()
    stdout_console.print(table)
    stdout_console.print("A million subjects, planned from the largest run:", plan)
    stdout_console.print("The floor:", floor)
    print(json.dumps({"runs": rows, "million": plan, "floor": floor}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(simulate_here(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
