"""Every command explains itself, and every `--json` has its fields pinned."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

from rehabcast.main import app


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, part in getattr(command, "commands", {}).items():
        yield from commands(part, (*words, name))


EVERY = list(commands(get_command(app)))


def with_json(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[str]:
    if any("--json" in parameter.opts for parameter in command.params):
        yield " ".join(words)
    for name, part in getattr(command, "commands", {}).items():
        yield from with_json(part, (*words, name))


def test_the_commands_are_found() -> None:
    assert {("cohort", "simulate"), ("train",), ("promote",), ("ledger", "verify")} < set(EVERY)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0
    assert len(done.stdout.split()) > 15


def test_no_word_of_a_help_is_lost() -> None:
    """A word in square brackets was taken for a colour of rich's, and left out."""
    lost, program = [], get_command(app)
    for words in EVERY:
        command = program
        for word in words:
            command = command.commands[word]  # type: ignore[attr-defined]
        helps = [command.help, *(getattr(each, "help", None) for each in command.params)]
        lost += [
            (words, text)
            for text in filter(None, helps)
            if Text.from_markup(text).plain != text.replace(r"\[", "[")
        ]
    assert lost == []


def test_the_fields_of_every_json_are_pinned(json_fields: dict[str, list[str]]) -> None:
    assert set(with_json(get_command(app))) == {
        " ".join(word for word in command.split() if not word.startswith("--"))
        for command in json_fields
    }
