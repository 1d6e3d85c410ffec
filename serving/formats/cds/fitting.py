"""What a card has room for: lines in at most so many words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def words_of(text: str) -> int:
    """Return how many words a text has."""
    return len(text.split())


def in_at_most(most: int, lines: Iterable[Sequence[str]]) -> list[str]:
    """Say every line, the last ones in fewer words, or none, where all do not fit in so many."""
    ways = [list(line) for line in lines if line and line[0]]
    while sum(words_of(line[0]) for line in ways) > most:
        line = next((line for line in reversed(ways) if len(line) > 1), None)
        if line is None:
            break
        del line[0]
    return [line[0] for line in ways if line[0]]
