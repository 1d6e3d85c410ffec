"""How commands print: messages and tables for people, one JSON object for machines.

Messages go to standard error and results to standard output, so that a pipe carries results only.
A command's result is a frozen dataclass; `as_record` is the one place where it becomes JSON, by its
fields or, where it has one, by its own `as_record`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Annotated, Any

import msgspec
import pandas as pd
import typer
from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]

INLINE = {"inline": True}
"""Metadata of a result's field whose own fields stand in the result's JSON object, not under it."""
IF_PRESENT = {"if_present": True}
"""Metadata of a result's field that the JSON object has only where it is not None."""

stderr_console = Console(stderr=True, soft_wrap=True)
# A file or a pipe has no width; this is wide enough for every table.
stdout_console = Console(width=None if sys.stdout.isatty() else 150)


def emit(result: object, readable: RenderableType, *, as_json: bool) -> None:
    """Print a result: as one line of JSON, or in its readable form."""
    if as_json:
        sys.stdout.write(json.dumps(as_record(result), default=str, allow_nan=False) + "\n")
    else:
        stdout_console.print(readable)


def as_record(result: object) -> Any:
    """Return a result as dictionaries, lists and plain values, ready for JSON."""
    if is_dataclass(result) and not isinstance(result, type):
        return as_record(own()) if (own := getattr(result, "as_record", None)) else _fields(result)
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json")
    if isinstance(result, msgspec.Struct):
        return msgspec.to_builtins(result)
    if isinstance(result, pd.DataFrame):
        return result.to_dict("records")
    if isinstance(result, Mapping):
        return {name: as_record(value) for name, value in result.items()}
    if isinstance(result, list | tuple):
        return [as_record(value) for value in result]
    return result


def _fields(result: Any) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if value is None and "if_present" in field.metadata:
            continue
        if "inline" in field.metadata:
            record |= as_record(value)
        else:
            record[field.name] = as_record(value)
    return record


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on standard error; call the yielded function with each finished step."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr_console) as bar:
        task = bar.add_task(title, total=total)
        yield lambda step: bar.update(task, advance=1, description=f"{title}: {step}")
