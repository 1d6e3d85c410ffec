"""Benchmark: every family on the same folds, on a real and a simulated cohort.

Prints tables per cohort and, as its last line, one JSON object with every figure. The real cohort
is read from the folder that is named, otherwise from ../shared/data/stroke_specs if that exists;
where it is absent, its public source is said.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from contracts.cohort import Provenance
from contracts.errors import ContractError
from features.cohort import write_cohort
from features.simulate import simulate
from features.sources.cohorts import stroke_specs
from features.sources.cohorts.public_sources import require_there
from rehabcast.commands.learning.benchmark import BenchmarkResult, run_benchmark
from rehabcast.commands.learning.benchmark_tables import leaderboard, prices
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
    real = Path(sys.argv[1]) if len(sys.argv) > 1 else REAL
    try:
        require_there(stroke_specs.NAME, real)
    except ContractError as error:
        sys.stderr.write(f"The real cohort was left out: {error}\n")
    else:
        records[stroke_specs.NAME] = run(5, lambda: stroke_specs.import_stroke_specs(real))
    records["simulated"] = run(
        SIMULATED_REPEATS, lambda: simulate(subjects=SIMULATED_SUBJECTS, seed=0)
    )
    print(json.dumps(as_record(records)))


if __name__ == "__main__":
    main()
