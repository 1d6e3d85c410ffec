"""Every command there is explains itself."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from rehabcast.main import app


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, part in getattr(command, "commands", {}).items():
        yield from commands(part, (*words, name))


EVERY = list(commands(get_command(app)))


def test_the_commands_are_found() -> None:
    assert {("cohort", "simulate"), ("train",), ("promote",), ("ledger", "verify")} < set(EVERY)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0
    assert len(done.stdout.split()) > 15
