"""Leaves a benchmark in a run of MLflow, and in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from contracts.cohort import Cohort
from rehabcast.commands.learning.benchmark_tables import BenchmarkRecord
from rehabcast.output import as_record
from rehabcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

LEADERBOARD_FILES = ("leaderboard.json", "leaderboard.png", "calibration.png")


def log_benchmark(
    record: BenchmarkRecord, cohort: Cohort, scored: pd.DataFrame, output: Path | None
) -> str:
    """Write leaderboard and figures to a run, and to a folder if one is given; return the run."""
    from training.comparison.figures import calibration_figure, leaderboard_figure
    from training.tracking import run

    rows = record.benchmark.rows
    title = f"{'SIMULATED ' if record.simulated else ''}{record.cohort}"
    tags = {
        "task": record.task,
        "cohort": record.cohort,
        "simulated": str(record.simulated),
    }
    with run(Settings().store, name=f"benchmark {record.task}", tags=tags) as opened:
        opened.log_cohort(cohort, "benchmark")
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
        # All of them are made before the first takes the place of an earlier one.
        with TemporaryDirectory(prefix=".", dir=output) as temporary:
            folder = Path(temporary)
            text = json.dumps(as_record(record), indent=1)
            (folder / "leaderboard.json").write_text(text, "utf-8")
            leaderboard_figure(rows, folder / "leaderboard.png", title=title)
            calibration_figure(scored, folder / "calibration.png", title=title)
            for name in LEADERBOARD_FILES:
                opened.log_file(folder / name)
                if output is not None:
                    (folder / name).replace(output / name)
        opened.log_metrics(
            {
                f"day_{row.origin_day}/week_{row.weeks}/{row.population}/crps": row.crps
                for row in rows
                if row.model == rows[0].model
            }
        )
    return opened.run_id
