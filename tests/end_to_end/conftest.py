"""The fields of every command's `--json`, pinned: other programs read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine

PINNED = Path(__file__).with_name("json_fields.json")
"""By command, the path of every field; a list's objects count as one (`standings.crps`)."""

GROUPS = {
    "access", "cohort", "exercise", "features", "federate", "ledger", "monitor", "people", "plan", "policy",
    "record", "task",
}  # fmt: skip
VARIANTS = {"--report", "--register", "--mitigate"}
"""Options that change which fields there are."""

KEYED_BY_DATA = {
    "approved_by",
    "because",
    "can_show",
    "facts",
    "files",
    "inside",
    "left_out",
    "milestones",
    "not_recorded",
    "outside",
    "payload",
    "plan",
    "quantiles",
    "sites",
}
"""Objects whose names are data, not fields."""
KEYED_BY_MODEL = {"prices"}


def command_of(words: tuple[str, ...]) -> str:
    command = words[:2] if words[0] in GROUPS else words[:1]
    return " ".join([*command, *(word for word in words if word in VARIANTS)])


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from paths(item, prefix)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield prefix + name
            if isinstance(part, dict) and name in KEYED_BY_DATA:
                continue
            inner = list(part.values()) if name in KEYED_BY_MODEL else part
            yield from paths(inner, f"{prefix}{name}.")


@pytest.fixture(scope="session")
def json_fields() -> dict[str, list[str]]:
    pinned: dict[str, list[str]] = json.loads(PINNED.read_text("utf-8"))
    return pinned


@pytest.fixture(scope="session")
def check_fields(
    json_fields: dict[str, list[str]],
) -> Callable[[tuple[str, ...], dict[str, Any]], None]:
    """Checks a record's fields, nested ones too, against those pinned for the command."""

    def check(words: tuple[str, ...], record: dict[str, Any]) -> None:
        pinned = json_fields[command_of(words)]
        assert list(record) == [path for path in pinned if "." not in path]
        observed = set(paths(record))
        objects = {path.rpartition(".")[0] for path in observed}
        assert observed == {path for path in pinned if path.rpartition(".")[0] in objects}

    return check


@pytest.fixture(scope="session")
def command_line() -> Iterator[CommandLine]:
    """Give the tests of one worker one process that has imported the program."""
    with closing(CommandLine()) as started:
        yield started
