"""No option is ignored without a word because of another one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import typer
from typer.main import get_command

from contracts.errors import ContractError
from rehabcast.commands.rules.options import (
    RULES,
    Rule,
    require_sizes,
    require_use,
)
from rehabcast.main import app
from tests.rehabcast.command_line import run, words_of

PROGRAM: Any = get_command(app)
COMMANDS = {" ".join(words): words for words in words_of(PROGRAM)}

NUMBERS = {"--proposal", "--folds", "--repeats", "--seed"}
DAYS = {"--onset"}
SWITCHES = {"--mitigate", "--every-instrument"}

SAID = re.compile(r"^(?:With|Without) (--[a-z-]+)")
"""How the help of an option says that it goes with another one."""


@cache
def parameters(name: str) -> dict[str, Any]:
    """Return the parameters of a command by their first name."""
    command = PROGRAM
    for word in COMMANDS[name]:
        command = command.commands[word]
    return {each.opts[0]: each for each in command.params}


def value_of(option: str) -> list[str]:
    """Return the words of a value that an option, or an argument, takes; a switch has none."""
    if option in SWITCHES:
        return []
    if option in DAYS:
        return ["2026-11-01"]
    return ["3" if option in NUMBERS else "nowhere"]


def words(name: str, options: dict[str, list[str]]) -> list[str]:
    """Return what stands after a command's name, with whatever it can't do without."""
    found = []
    for option, parameter in parameters(name).items():
        if parameter.param_type_name == "argument":
            found += value_of(option) if parameter.required else []
        elif option in options or parameter.required:
            found += [option, *options.get(option, value_of(option))]
    return found


def context_of(name: str, options: dict[str, list[str]]) -> Any:
    """Return what a command is called with, as it is when it runs."""
    made, command = PROGRAM.make_context("rehabcast", list(COMMANDS[name])), PROGRAM
    *groups, last = COMMANDS[name]
    for word in groups:
        command = command.commands[word]
        made = command.make_context(word, [last], parent=made)
    return command.commands[last].make_context(last, words(name, options), parent=made)


CASES = [
    (name, rule, option) for name, rules in RULES.items() for rule in rules
    for option in rule.options
]  # fmt: skip


@pytest.mark.parametrize(("name", "rule", "option"), CASES)
def test_an_option_of_no_use_is_refused_and_one_of_use_is_not(
    name: str, rule: Rule, option: str
) -> None:
    deciding, *value = rule.given
    for given in ({}, {deciding: value or value_of(deciding)}):
        options = {option: value_of(option), **given}
        # What decides may itself need another option.
        for other in RULES[name]:
            if other.needed and set(other.options) & set(options) and other is not rule:
                first, *its = other.given
                options.setdefault(first, its or value_of(first))
        context = context_of(name, options)
        if bool(given) is rule.needed:
            require_use(context)
        else:
            how = "without" if rule.needed else "with"
            with pytest.raises(ContractError, match=f"{option}: of no use {how} {deciding}"):
                require_use(context)


@pytest.mark.parametrize("typed", [
    "audit arm/1 --mitigate --served pairs.parquet --external other.parquet",
    "exercise audit model --seed 3",
    "train --cohort nowhere --task nowhere --model arm --ray-address nonsense",
])  # fmt: skip
def test_it_is_refused_before_anything_is_read(
    typed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(capsys, monkeypatch, *typed.split())
    assert said.code == 3
    assert "of no use with" in said.text


def helped() -> Iterator[tuple[str, str, str]]:
    for name in COMMANDS:
        for option, parameter in parameters(name).items():
            if match := SAID.match(getattr(parameter, "help", None) or ""):
                yield name, option, match[1]


def test_what_the_help_says_of_an_option_is_a_rule() -> None:
    found = list(helped())
    assert found
    for name, option, other in found:
        assert any(
            option in rule.options and rule.given[0] == other for rule in RULES.get(name, ())
        ), (name, option)


def test_where_to_compute_matters_only_where_it_is_computed_elsewhere() -> None:
    """One option is shared by commands, so its rule is too."""
    for name in COMMANDS:
        ruled = {option for rule in RULES.get(name, ()) for option in rule.options}
        assert ("--ray-address" in parameters(name)) is ("--ray-address" in ruled), name


def numbers_and_days() -> Iterator[tuple[str, str, str]]:
    """Yield each option that takes a number, a share, a day or a month, and a kind of it."""
    for name in COMMANDS:
        for option, parameter in parameters(name).items():
            annotation = str(parameter.type_descriptor.annotation)
            if kind := next((k for k in ("datetime", "int", "float") if k in annotation), None):
                yield name, option, kind


WRONG = {
    "datetime": ("2026-13", "2026-13-41", "soon", "", "2026", "01.02.2026"),
    "int": ("x", "", "1.5", "nan", "1e400", "9" * 30),
    "float": ("x", "", "nan", "inf", "-1", "9" * 30),
}


def test_a_number_or_day_that_is_none_is_refused_by_its_name_as_a_wrong_use(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month was judged by the command itself, and what it refused ended with another code."""
    found, wrong = list(numbers_and_days()), []
    assert {kind for _, _, kind in found} == set(WRONG)
    assert ("monitor edition", "--month", "datetime") in found
    assert len(found) > 30
    for name, option, kind in found:
        for value in WRONG[kind]:
            try:
                require_sizes(context_of(name, {option: [value]}))
            except typer.BadParameter as refused:
                if refused.exit_code == 2 and f"'{option}'" in refused.format_message():
                    continue
            wrong.append((name, option, value))
    assert wrong == []
    # What is refused before a command runs, and within it, is worded alike.
    for line in ("monitor edition arm --output out --month 2026-13", f"record forget --days {9**30}",
                 f"rollback arm --reason xyz --to-epoch {9**30}"):  # fmt: skip
        said = run(capsys, monkeypatch, *line.split())
        assert (said.code, f"for '{line.split()[-2]}'" in said.text) == (2, True), said.text


def test_no_text_option_takes_a_day_or_month() -> None:
    texts = [
        (name, option)
        for name in COMMANDS
        for option, parameter in parameters(name).items()
        if "YYYY" in (getattr(parameter, "help", None) or "")
    ]
    assert set(texts) <= {(name, option) for name, option, _ in numbers_and_days()}


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("promote a/1 --until 2026-02-30", "there is no day 2026-02-30 in the calendar"),
        ("monitor edition a --output x --month 2026-13", "there is no month 2026-13 in the cal"),
        ("promote a/1 --until 30.02.2026", "'30.02.2026' is no day as 2026-03-31"),
        ("monitor edition a --output x --month March", "'March' is no month as 2026-03"),
    ],
)
def test_a_day_that_no_calendar_has_is_told_from_one_that_is_written_otherwise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str, says: str
) -> None:
    """Of 30 February it was said that it does not match the format, which it does."""
    monkeypatch.setenv("COLUMNS", "200")
    said = run(capsys, monkeypatch, *typed.split())
    assert (said.code, says in said.text) == (2, True), said.text
