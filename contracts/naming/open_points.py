"""What a proposed file still leaves to a person: answers that are `"?"`, and guesses to confirm."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.errors import Problem

OPEN = "?"
"""Stands where nobody has answered yet."""

CONFIRM = "confirm"
"""Key of an entry that was guessed; true until a person looked at it."""

NAMES = ("file", "column")
"""Keys by which people know an entry."""


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """One thing that a person has not decided.

    Parameters
    ----------
    place
        Of the entry, as people count: `tables 2, columns 1`; empty for the file as a whole.
    entry
        What the entry is of: file, column.
    key
        The key without an answer; empty where the entry is a guess.
    guessed
        What the entry says, where it is a guess.
    """

    place: str
    entry: tuple[str, ...]
    key: str = ""
    guessed: tuple[tuple[str, str], ...] = ()


def open_points(content: Mapping[str, Any], literal: Collection[str] = ()) -> list[OpenPoint]:
    """Return everything in a parsed file that nobody has decided.

    Parameters
    ----------
    literal
        Keys whose values may be a question mark and mean it.
    """
    return list(_points(content, (), (), frozenset(literal)))


def _points(
    at: Mapping[str, Any], place: tuple[str, ...], entry: tuple[str, ...], literal: frozenset[str]
) -> Iterator[OpenPoint]:
    where = ", ".join(place)
    if place:
        entry = (*entry, *(str(at[key]) for key in NAMES if isinstance(at.get(key), str)))
    if at.get(CONFIRM) is True:
        guessed = tuple(
            (key, _written(value))
            for key, value in at.items()
            if key not in {CONFIRM, *NAMES} and value != OPEN and not _has_entries(value)
        )
        yield OpenPoint(place=where, entry=entry, guessed=guessed)
    for key, value in at.items():
        if key in literal:
            continue
        if value == OPEN or (isinstance(value, list) and OPEN in value):
            yield OpenPoint(place=where, entry=entry, key=key)
        elif isinstance(value, Mapping):
            yield from _points(value, (*place, key), entry, literal)
        elif isinstance(value, list):
            for number, part in enumerate(value, start=1):
                if isinstance(part, Mapping):
                    yield from _points(part, (*place, f"{key} {number}"), entry, literal)


def _has_entries(value: object) -> bool:
    """Return whether a value holds entries of its own, which are looked at apart."""
    if isinstance(value, Mapping):
        return not all(isinstance(part, str) for part in value.values())
    return isinstance(value, list) and any(isinstance(part, Mapping) for part in value)


def _written(value: object) -> str:
    """Return a value as it stands in the file."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_written(part)}' for key, part in value.items())} }}"
    return json.dumps(value, ensure_ascii=False, default=str)


def as_problems(points: Collection[OpenPoint], file: str) -> list[Problem]:
    """Return open points as problems of a file: what is open, and what to write."""
    return [_problem(point, file) for point in points]


def _problem(point: OpenPoint, file: str) -> Problem:
    what = ", ".join(map(repr, point.entry))
    field = (
        f"{point.place} ({what})" if point.place and what else point.place or "the file as a whole"
    )
    if point.key:
        return Problem(
            file=file, row=None, field=field, found=f'{point.key} = "{OPEN}" has no answer yet',
            advice="write the answer; the comment above it says what there is",
        )  # fmt: skip
    said = ", ".join(f"{key} = {value}" for key, value in point.guessed)
    return Problem(
        file=file, row=None, field=field,
        found=f"nobody has confirmed this guess yet{f', {said}' if said else ''}",
        advice=f"correct what is wrong (the reason stands above), and delete {CONFIRM} = true",
    )  # fmt: skip


def without_confirmations(content: Any) -> Any:
    """Return a parsed file without the keys that say that a guess was confirmed."""
    if isinstance(content, Mapping):
        return {
            key: without_confirmations(value)
            for key, value in content.items()
            if not (key == CONFIRM and value is False)
        }
    return (
        [without_confirmations(part) for part in content] if isinstance(content, list) else content
    )
