"""How commands speak: words and tables for people, one JSON object for machines.

Words go to standard error and results to standard output, so that a pipe carries results only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]

words = Console(stderr=True, soft_wrap=True)
# A file or a pipe has no width; wide enough for every table of ours.
results = Console(width=None if sys.stdout.isatty() else 150)


def emit(record: Mapping[str, Any], readable: Any, *, as_json: bool) -> None:
    """Print a result: the record as one line of JSON, or its readable form."""
    if as_json:
        sys.stdout.write(json.dumps(record, default=str, allow_nan=False) + "\n")
    else:
        results.print(readable)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on standard error; the yielded function takes a step's name when it is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=words) as bar:
        task = bar.add_task(title, total=total)
        yield lambda step: bar.update(task, advance=1, description=f"{title}: {step}")
