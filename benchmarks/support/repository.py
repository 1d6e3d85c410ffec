"""The repository's tasks and data for benchmarks, and how their tables are printed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.table import Table

from contracts.task import Task
from rehabcast.output import stdout_console
from training.task import read_task

ROOT = Path(__file__).resolve().parents[2]
REAL_DATA = ROOT.parent / "shared" / "data"
"""Real cohorts; benchmarks leave out what is not there."""

UPPER_LIMB = "stroke-upper-limb"


def repository_task(name: str) -> Task:
    """Return one of the tasks in `tasks/`."""
    return read_task(ROOT / "tasks" / f"{name}.toml")


def print_frame(title: str, frame: pd.DataFrame) -> None:
    """Print a data frame as a table, numbers with two decimals."""
    table = Table(title=title)
    for name in frame:
        table.add_column(str(name).replace("_", " "))
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{x:.2f}" if isinstance(x, float) else str(x) for x in row))
    stdout_console.print(table)
