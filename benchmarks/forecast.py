"""Benchmark: the network against its rivals, 5 x 5-fold by subject, on real and simulated people.

Prints one table per cohort and, as its last line, one JSON object with every figure. The real
cohort is read from ../shared/data/stroke_specs when it is there.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from features.cohort import write_cohort
from features.sequences import training_sequences
from features.simulate import simulate
from features.sources.stroke_specs import import_stroke_specs
from rehabcast.output import progress, results
from rehabcast.training_commands import leaderboard
from training.benchmark import benchmark, families
from training.config import TrainingConfig
from training.task import read_task

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "stroke_specs"
TASK = ROOT / "tasks" / "stroke-upper-limb.toml"
SIMULATED_SUBJECTS, SIMULATED_REPEATS = 300, 1
"""A small simulated slice: the real cohort is the one that counts."""


def run(name: str, repeats: int, source: Any) -> dict[str, Any]:
    """Benchmark one cohort and print its table."""
    events, provenance = source()
    task = read_task(TASK)
    with tempfile.TemporaryDirectory() as place:
        cohort = write_cohort(events, provenance, Path(place) / "cohort")
    batch = training_sequences(cohort.events, task)
    competing = families(TrainingConfig())
    with progress(name, repeats * 5 * len(competing)) as advance:
        result = benchmark(batch, task, competing, repeats=repeats, folds=5, advance=advance)
    record = {
        "cohort": provenance.name,
        "simulated": provenance.simulated,
        "data_digest": cohort.digest,
        **result.as_record(),
    }
    results.print(leaderboard(record))
    return record


def main() -> None:
    """Run the benchmark on each cohort that is here."""
    records = {
        "simulated": run(
            "simulated",
            SIMULATED_REPEATS,
            lambda: simulate(subjects=SIMULATED_SUBJECTS, seed=0),
        )
    }
    if REAL.exists():
        records["stroke-specs"] = run("stroke-specs", 5, lambda: import_stroke_specs(REAL))
    else:
        print(f"{REAL} is not here: the real cohort was left out")
    print(json.dumps(records))


if __name__ == "__main__":
    main()
