"""Quotation marks in a file of separated text: a missing one makes rows a part of a cell."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import SourceUnreadable

OPEN_QUOTE = "a quotation mark opens a cell and is never closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The text of a table.

    Parameters
    ----------
    name
        The file's name in messages.
    separator
        Between cells, as declared.
    skipped
        Rows above the text.
    text
        From the header on.
    """

    name: str
    separator: str
    skipped: int
    text: str


def refuse_lost_rows(
    quoted: Quoted, table: pa.Table, *, rows: int, last_uneven: tuple[int, str]
) -> None:
    """Refuse a file in which a quotation mark makes rows a part of one cell: they are lost.

    Parameters
    ----------
    table
        The rows that have as many cells as the header, the header among them.
    rows
        How many rows there are in all.
    last_uneven
        Number and text of the last row that has more or fewer cells.

    Raises
    ------
    SourceUnreadable
        A quotation mark is missing.
    """
    marks = quoted.text.count('"')
    if marks:
        _refuse_swallowed_lines(quoted, table)
    if marks % 2 == 0:
        return
    number, text = last_uneven
    last = [text] if number == rows else [column[-1].as_py() for column in table.columns]
    if any("\n" in cell.strip() or "\r" in cell.strip() for cell in last):
        raise SourceUnreadable(
            quoted.name, f"row {rows + quoted.skipped}", OPEN_QUOTE,
            'close it, or write "" for a quotation mark that is part of the text',
        )  # fmt: skip


def _refuse_swallowed_lines(quoted: Quoted, table: pa.Table) -> None:
    """Refuse a table with a cell that holds what looks like a row of the table.

    Where every cell stands in quotation marks a row would have them too, so that a line without
    them is the cell's own.
    """
    if table.num_columns < 3:
        return
    between = f"[^{re.escape(quoted.separator)}\n\r]*"
    row = re.escape(quoted.separator).join([between] * table.num_columns)
    for column in table.columns:
        swallowed = pc.match_substring_regex(column, f"[\n\r]{row}(?:[\n\r]|$)")
        if not pc.any(swallowed).as_py():
            continue
        if _is_quoted_throughout(quoted):
            return
        number = pc.index(swallowed, True).as_py() + 1
        raise SourceUnreadable(
            quoted.name, f"row {number + quoted.skipped} or below",
            "a cell holds a line that looks like a row of the table, so that a quotation mark seems"
            " to be missing",
            "put a quotation mark at both ends of each cell that has one; if they are all there,"
            " export the table with quotation marks around every cell",
        )  # fmt: skip


def _is_quoted_throughout(quoted: Quoted) -> bool:
    """Return whether each cell that is not empty stands in quotation marks of its own."""
    end = rf"(?:{re.escape(quoted.separator)}|\r\n|\n|\r|\Z)"
    cell = re.compile(rf'(?:"[^"]*+(?:""[^"]*+)*+")?{end}')
    at = 0
    while at < len(quoted.text):
        found = cell.match(quoted.text, at)
        if found is None:
            return False
        at = found.end()
    return True
