"""What a file format is: how its files are recognised and how they are read."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from features.measurements.device_clocks import ANY_CLOCK, DeviceClock
from features.recording import Reading, SourceFile
from features.tables.csv_rows import SEPARATORS

HEAD_BYTES = 65536
"""How much of a file's beginning a format may look at."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be",
}  # fmt: skip


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
    clock
        What the clocks of its devices can't show.
    """

    name: str
    title: str
    matches: Callable[[bytes], bool]
    read: Callable[[SourceFile], Iterator[Reading]]
    clock: DeviceClock = ANY_CLOCK


def text_of(head: bytes) -> str:
    """Return a file's beginning as text in any encoding, to recognise it and for nothing else."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, errors="replace").lstrip()
    return head.decode("utf-8", errors="replace").lstrip()


def column_names(head: bytes) -> list[str]:
    """Return the names in the first line of a table in any separator, empty if it is no table.

    A format is recognised by them; whether the separator is the declared one shows on reading.
    """
    text = text_of(head)
    # A spreadsheet program may state the separator above the header.
    lines = [line.strip() for line in text.splitlines() if not line.startswith(("sep=", '"sep='))]
    line = lines[0] if lines else ""
    if not line or line[0] in "{[<" or not line.replace("\t", " ").isprintable():
        return []
    separator = max(SEPARATORS, key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
    return [name for name in names if name] if line.count(separator) else []
