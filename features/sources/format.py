"""What a file format is: how its files are recognised and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from features.recording import Reading, SourceFile

HEAD_BYTES = 65536
"""How much of a file's beginning a format may look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One file format.

    Parameters
    ----------
    name
        As named on the command line.
    title
        In words, for messages.
    matches
        Returns from a file's first bytes (at most `HEAD_BYTES`) whether it has this format.
    read
        Yields the contents of a file piece by piece; raises SourceUnreadable.
    """

    name: str
    title: str
    matches: Callable[[bytes], bool]
    read: Callable[[SourceFile], Iterator[Reading]]
