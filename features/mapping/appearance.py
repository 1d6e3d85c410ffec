"""How a file of text is written: its encoding and what separates its cells, as its bytes show."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import SourceUnreadable
from features.mapping.findings import Finding, Option, Reason, Standing, Why
from features.tables.csv_rows import BYTE_ORDER_MARKS, SEPARATORS, unpacked_text
from features.tables.encodings import LOOKED_AT, likely_encodings

ROWS_LOOKED_AT = 2_000
MOST_ROWS_ALIKE = 0.9
"""Share of rows that have as many cells as the header where a sign separates cells (local)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """A file of text.

    Parameters
    ----------
    text
        Its content.
    encoding, separator
        What was found; the encoding is None where the file says it itself.
    """

    text: str
    encoding: Finding | None
    separator: Finding


def look_at(path: Path, name: str) -> WrittenFile:
    """Return how a file of text is written.

    Raises
    ------
    SourceUnreadable
        It can't be opened, is no text, or has rows above its header.
    """
    content = unpacked_text(path, name)
    encoding = _encoding(content, name)
    spelled = next((e for mark, e in BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    text = content.decode(spelled if encoding is None else encoding.options[0].value)
    if "\0" in text[:LOOKED_AT]:
        raise SourceUnreadable(name, "*", "is not text", "export it as CSV in UTF-8")
    if not text.strip():
        raise SourceUnreadable(name, "*", "the table is empty", "export or copy it again")
    return WrittenFile(text=text, encoding=encoding, separator=separator_of(text, name))


def _encoding(content: bytes, name: str) -> Finding | None:
    """Return the encoding that has to be declared; None where the bytes are UTF-8 or marked."""
    if content.startswith(tuple(BYTE_ORDER_MARKS)):
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return None
    likely = likely_encodings(content)
    if not likely:
        raise SourceUnreadable(
            name, "*", "is text in no encoding that is known here", "save it as CSV in UTF-8"
        )
    # Separators are the same in all of these encodings.
    separator = separator_of(content.decode("latin-1"), name).options[0].value
    options = tuple(
        Option(encoding, (Reason(Why.SHOWS, tuple(odd_words(text, separator))),))
        for encoding, text in likely
    )
    return Finding("encoding", Standing.GUESSED, options[:2])


def odd_words(text: str, separator: str) -> list[str]:
    """Return words of the header with letters that are not ASCII: they show an encoding.

    The rows below hold what is known of people, and are not shown.
    """
    header = text.partition("\n")[0].strip()
    words = next(csv.reader([header], delimiter=separator), [])
    return [word.strip() for word in words if not word.isascii()][:3]


def separator_of(text: str, name: str) -> Finding:
    """Return what separates the cells: the sign under which the rows are as long as the header.

    Raises
    ------
    SourceUnreadable
        No sign does; most often there are rows above the header.
    """
    lines = text.splitlines()
    if lines and lines[0].lower().strip('"').startswith("sep="):
        stated = lines[0].strip('"')[4:5] or "\t"
        return Finding("separator", Standing.PROVED, (Option(stated, (Reason(Why.STATED),)),))
    ranked = sorted(
        ((sign, *_evenness(text, sign)) for sign in SEPARATORS),
        key=lambda row: row[1:],
        reverse=True,
    )
    fitting = [row for row in ranked if row[1] >= MOST_ROWS_ALIKE]
    if not fitting:
        if not any(sign in text for sign in SEPARATORS):
            return Finding("separator", Standing.PROVED, (Option(",", (Reason(Why.ONE_COLUMN),)),))
        raise SourceUnreadable(
            name, "row 1",
            "its rows do not have as many cells as its first row, whatever separates them (comma,"
            " semicolon, tab or bar)",
            "delete what stands above the header, so that the first row has the columns' names, and"
            " give each row as many cells",
        )  # fmt: skip
    others = fitting[1:]
    clear = not others or fitting[0][2] > others[0][2]
    options = tuple(Option(sign, (Reason(Why.EVEN_ROWS),)) for sign, *_ in fitting)
    if clear:
        return Finding("separator", Standing.PROVED, options[:1])
    return Finding("separator", Standing.GUESSED, options)


def _evenness(text: str, sign: str) -> tuple[float, float]:
    """Return the share of rows as long as the header, and of cells free of other separators."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        rows = [row for row, _ in zip(reader, range(ROWS_LOOKED_AT), strict=False) if any(row)]
    except csv.Error:
        return 0.0, 0.0
    header = _stripped(rows[0]) if rows else []
    if len(header) < 2 or not all(cell.strip() for cell in header):
        return 0.0, 0.0
    alike = sum(len(_stripped(row)) <= len(header) <= len(row) for row in rows)
    # A comma within a cell is a decimal comma more often than not.
    foreign = [other for other in SEPARATORS if other not in {sign, ","}]
    cells = [cell for row in rows for cell in row]
    clean = sum(not any(other in cell for other in foreign) for cell in cells)
    return alike / len(rows), clean / len(cells)


def _stripped(row: list[str]) -> list[str]:
    """Return a row without the empty cells at its end."""
    while row and not row[-1].strip():
        row = row[:-1]
    return row
