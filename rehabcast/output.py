"""How commands print: messages and tables for people, one JSON object for machines.

Messages go to standard error and results to standard output, so that a pipe carries results only.
A command's result is a frozen dataclass; `as_record` is the one place where it becomes JSON, by its
fields or, where it has one, by its own `as_record`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pandas as pd
import typer
from pydantic import BaseModel
from rich.console import (
    Console,
    ConsoleOptions,
    ConsoleRenderable,
    RenderableType,
    RenderHook,
    RenderResult,
)
from rich.control import Control
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.text import Text

from audits.report.characters import visible
from contracts.errors import ContractError
from contracts.verdict import EVERY_FIELD

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]

INLINE = {"inline": True}
"""Metadata of a result's field whose own fields stand in the result's JSON object, not under it."""
LINE_SECONDS = 10.0
"""How often work says how far it is where there is no terminal."""
IF_PRESENT = {"if_present": True}
"""Metadata of a result's field that the JSON object has only where it is not None."""


class _AsData(RenderHook):
    """Shows what would act on a terminal (an escape, a change of direction) as its number.

    Everything printed comes through here, however it was made: names, labels and reasons are
    anybody's text.
    """

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [item if isinstance(item, Control) else _Visible(item) for item in renderables]


class _Visible:
    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._renderable, options):
            is_text = segment.control is None
            yield Segment(visible(segment.text), segment.style) if is_text else segment


class _Console(Console):
    def render_str(self, text: str, **options: Any) -> Text:
        # Every string comes through here, also a table's title and cells, before it is laid out;
        # a tab has no width when a column is measured, so it would push letters out of it.
        laid_out = visible(text).expandtabs(self.tab_size)
        return super().render_str(laid_out, **{**options, "markup": False, "emoji": False})


def console_for(**options: Any) -> Console:
    """Return a console for which text is text: neither markup nor the names of emoji."""
    console = _Console(markup=False, emoji=False, **options)
    console.push_render_hook(_AsData())
    return console


stderr_console = console_for(stderr=True, soft_wrap=True)
# A file or a pipe has no width; this is wide enough for every table.
stdout_console = console_for(width=None if sys.stdout.isatty() else 150)


def say_error(message: str) -> None:
    """Print why a command failed, on standard error and without its lines wrapped."""
    sys.stderr.write(visible(f"rehabcast: {message}\n"))


def emit(result: object, readable: RenderableType, *, as_json: bool) -> None:
    """Print a result: as one line of JSON, or in its readable form."""
    if as_json:
        sys.stdout.write(json.dumps(as_record(result), default=str, allow_nan=False) + "\n")
    else:
        # A line of text stays one: what is broken at a terminal's width can't be copied from it.
        stdout_console.print(readable, soft_wrap=isinstance(readable, str))


def as_record(result: object) -> Any:
    """Return a result as dictionaries, lists and plain values, ready for JSON."""
    if is_dataclass(result) and not isinstance(result, type):
        return as_record(own()) if (own := getattr(result, "as_record", None)) else _fields(result)
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json", context={EVERY_FIELD: True})
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


def require_place(file: Path) -> None:
    """Refuse a file that could not be written, before there is anything to write.

    Raises
    ------
    ContractError
        It is a folder, there is none to put it into, or this user may not write there.
    """
    if file.is_dir():
        raise ContractError(f"{file} cannot be written: it is a folder", "name a file in it")
    if not file.parent.is_dir():
        raise ContractError(
            f"{file} cannot be written: there is no folder {file.parent}",
            "make it, or name another",
        )
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ContractError(
            f"{file} cannot be written by this user", "name a file in another folder"
        )


class _Lines:
    """Says how far work is, in lines."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._done = title, total, 0
        self._began = self._said = time.monotonic()
        stderr_console.print(f"{title}: {total} steps")

    def finished(self, step: str) -> None:
        self._done += 1
        now = time.monotonic()
        if self._done < self._total and now - self._said < LINE_SECONDS:
            return
        self._said, passed = now, now - self._began
        to_go = passed / self._done * (self._total - self._done)
        stderr_console.print(
            f"{self._title}: {self._done} of {self._total} ({step}) after {passed:.0f} s"
            + (f", about {to_go:.0f} s to go" if self._done < self._total else "")
        )


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show on standard error how far work is; call the yielded function with each finished step.

    A bar on a terminal; in a file or a pipe a line every `LINE_SECONDS`.
    """
    if not stderr_console.is_terminal:
        yield _Lines(title, total).finished
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("to go:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr_console) as bar:
        task = bar.add_task(title, total=total)
        yield lambda step: bar.update(task, advance=1, description=visible(f"{title}: {step}"))
