"""Benchmark: every family on the same folds, on a real and a simulated cohort.

Prints tables per cohort and, as its last line, one JSON object with every figure. The real cohort
is read from ../shared/data/stroke_specs if it exists.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from contracts.cohort import Provenance
from features.cohort import write_cohort
from features.simulate import simulate
from features.sources.cohorts.stroke_specs import import_stroke_specs
from rehabcast.commands.benchmark import BenchmarkResult, run_benchmark
from rehabcast.commands.benchmark_tables import leaderboard, prices
from rehabcast.output import as_record, stdout_console
from support.repository import REAL_DATA, UPPER_LIMB, repository_task

REAL = REAL_DATA / "stroke_specs"
SIMULATED_SUBJECTS, SIMULATED_REPEATS = 300, 1
"""A small simulated cohort: the real one matters more."""


def run(repeats: int, source: Callable[[], tuple[pd.DataFrame, Provenance]]) -> BenchmarkResult:
    """Benchmark one cohort and print its table."""
    events, provenance = source()
    with tempfile.TemporaryDirectory() as folder:
        cohort = write_cohort(events, provenance, Path(folder) / "cohort")
    result = run_benchmark(cohort, repository_task(UPPER_LIMB), repeats=repeats)
    stdout_console.print(leaderboard(result.record))
    stdout_console.print(prices(result.record.benchmark))
    return result


def main() -> None:
    """Run the benchmark on each cohort that exists."""
    records = {}
    if REAL.exists():
        records["stroke-specs"] = run(5, lambda: import_stroke_specs(REAL))
    else:
        sys.stderr.write(f"{REAL} does not exist: the real cohort was left out\n")
    records["simulated"] = run(
        SIMULATED_REPEATS, lambda: simulate(subjects=SIMULATED_SUBJECTS, seed=0)
    )
    print(json.dumps(as_record(records)))


if __name__ == "__main__":
    main()
