"""Runs the command line as a user does, in this process: everything from arguments to exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import click
import pytest

from rehabcast import main


@dataclass(frozen=True, slots=True)
class Said:
    """What a command did: its exit code, and all that it wrote."""

    code: int
    text: str


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> Said:
    """Run `rehabcast WORDS`."""
    # Both are of the process, which is pytest's.
    monkeypatch.setattr(main, "install", lambda _: None)
    monkeypatch.setattr(main, "keep_private", lambda: None)
    monkeypatch.setattr(sys, "argv", ["rehabcast", *words])
    capsys.readouterr()
    code = 0
    try:
        main.run()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    written = capsys.readouterr()
    return Said(code, written.out + written.err)


def words_of(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words that name each command."""
    parts = getattr(command, "commands", None)
    if parts is None:
        yield words
    for name, part in (parts or {}).items():
        yield from words_of(part, (*words, name))
