"""Rows of a file of separated text, as they are: no cell is moved, no row is lost unsaid."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from contracts.errors import Problem, SourceUnreadable
from features.tables.encodings import likely_encodings
from features.tables.packed import MOST_IN_MEMORY, UNPACKING, ZIP_MAGIC, opened
from features.tables.quotation_marks import OPEN_QUOTE, Quoted, refuse_lost_rows

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16",
}  # fmt: skip
_SAVE = "open it in a spreadsheet program and save the sheet as CSV in UTF-8"
NO_TEXT = {
    ZIP_MAGIC: ("a workbook of a spreadsheet program, or another zip archive", _SAVE),
    b"\xd0\xcf\x11\xe0": ("a workbook of an older spreadsheet program", _SAVE),
    b"PAR1": ("a Parquet file", "give its name the ending .parquet"),
}
"""What is no text by its first bytes, and what to do about it."""

_SPREADSHEETS_HINT = re.compile(r'^\ufeff?"?sep=([,;\t|])"?[ \t]*(?:\r\n|\n|\r)', re.IGNORECASE)
"""First line by which a spreadsheet program states the separator of the file itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one file.

    Parameters
    ----------
    header
        Names of the columns, empty for one without.
    cells
        Text, by the row as a spreadsheet counts it.
    header_row
        Row of the header.
    problems
        Rows that were left out because their cells can't be told apart.
    """

    header: list[str]
    cells: pd.DataFrame
    header_row: int = 1
    problems: list[Problem] = field(default_factory=list)


def unpacked_text(path: Path, name: str) -> bytes:
    """Read the bytes of a file of text, packed with gzip or not.

    Raises
    ------
    SourceUnreadable
        It can't be opened or unpacked, unpacks to more than may be, or is a workbook, another
        archive or Parquet.
    """
    try:
        with opened(path, name, most=MOST_IN_MEMORY) as stream:
            content = stream.read()
    except UNPACKING as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceUnreadable(
            name, "*", f"cannot be opened ({reason})", "check path and permissions"
        ) from error
    for mark, (found, advice) in NO_TEXT.items():
        if content.startswith(mark):
            raise SourceUnreadable(name, "*", f"is {found}, whatever its name says", advice)
    return content


def read_text(path: Path, name: str, encoding: str = "") -> str:
    """Read and decode a file of text, packed with gzip or not.

    Parameters
    ----------
    name
        The file's name in messages.
    encoding
        As declared; empty for UTF-8, or what the byte order mark says.

    Raises
    ------
    SourceUnreadable
        It can't be opened, unpacked or decoded.
    """
    content = unpacked_text(path, name)
    marked = next((e for mark, e in BYTE_ORDER_MARKS.items() if content.startswith(mark)), "")
    encoding = marked or encoding or "utf-8"
    try:
        text = content.decode(encoding)
    except (UnicodeError, LookupError) as error:
        likely = [name for name, _ in likely_encodings(content)]
        guess = f"; it may be {' or '.join(likely)}" if likely else ""
        declare = likely[0] if likely else "latin-1"
        raise SourceUnreadable(
            name, "*", f"is not text in {encoding}{guess}",
            f'save it as UTF-8, or declare encoding = "{declare}" in the map if that is right',
        ) from error  # fmt: skip
    if "\0" in text[: 1 << 16]:
        raise SourceUnreadable(name, "*", "is not text", "export it as CSV in UTF-8")
    return text


def rows_of(
    text: str, name: str, *, separator: str, skip_rows: int, as_written: Collection[str] = ()
) -> Rows:
    """Tell the rows and cells of a text apart.

    Parameters
    ----------
    name
        The file's name in messages.
    separator
        Between cells, as declared.
    skip_rows
        Rows above the header.
    as_written
        Columns whose cells keep the blanks around them.

    Raises
    ------
    SourceUnreadable
        It can't be told apart into columns.
    """
    if hint := _SPREADSHEETS_HINT.match(text):
        separator, skip_rows = hint[1], skip_rows + 1
    text = _below(text, skip_rows)
    if not text.strip():
        raise SourceUnreadable(name, "*", "the table is empty", "export or copy it again")
    return _Parser(name, separator, skip_rows).parse(text, as_written)


def _below(text: str, rows: int) -> str:
    """Return the text without its first rows."""
    for _ in range(rows):
        end = re.search(r"\r\n|\n|\r", text)
        text = text[end.end() :] if end else ""
    return text


class _Parser:
    """Parses the text of one file, for its name in messages and the rows above it."""

    def __init__(self, name: str, separator: str, skipped: int) -> None:
        self.name, self.separator, self.skipped = name, separator, skipped

    def parse(self, text: str, as_written: Collection[str]) -> Rows:
        header = self._cells(text)
        self._check_header(header)
        uneven: list[tuple[int, str]] = []

        def note(row: pyarrow.csv.InvalidRow) -> str:
            uneven.append((row.number, row.text))
            return "skip"

        table = self._arrow(text, len(header), note)
        if uneven and table.num_rows == 1:
            # A separator at the end of every row: the header gets one too, and no cell moves.
            again = self._arrow(self._padded(text), len(header) + 1, lambda row: "skip")
            if again.num_rows == table.num_rows + len(uneven):
                uneven, table, header = [], again, [*header, ""]
        last = uneven[-1] if uneven else (0, "")
        refuse_lost_rows(
            Quoted(name=self.name, separator=self.separator, skipped=self.skipped, text=text),
            table, rows=table.num_rows + len(uneven), last_uneven=last,
        )  # fmt: skip
        titles = [title.strip() for title in header]
        columns = [
            column if title in as_written else pc.utf8_trim_whitespace(column)
            for column, title in zip(table.columns, titles, strict=True)
        ]
        rows = pa.table(columns, table.column_names).to_pandas()
        if uneven:
            skipped = np.array([number for number, _ in uneven], dtype=np.int64)
            rows.index = np.setdiff1d(np.arange(1, len(rows) + len(uneven) + 1), skipped)
        else:
            rows.index = pd.RangeIndex(1, len(rows) + 1)
        mended, problems = self._uneven(uneven, titles)
        if mended:
            added = pd.DataFrame.from_dict(mended, orient="index", columns=rows.columns)
            rows = pd.concat([rows, added]).sort_index()
        rows.index = rows.index + self.skipped
        return Rows(
            header=titles, cells=rows.iloc[1:], header_row=self.skipped + 1, problems=problems
        )

    def _cells(self, text: str) -> list[str]:
        """Return the cells of the first row."""
        try:
            return next(csv.reader(io.StringIO(text, newline=None), delimiter=self.separator), [])
        except csv.Error as error:
            raise SourceUnreadable(
                self.name, f"row {self.skipped + 1}", f"cannot be read as a row of cells ({error})",
                "check the quotation marks and line ends of the file",
            ) from error  # fmt: skip

    def _check_header(self, header: list[str]) -> None:
        if not any(title.strip() for title in header):
            raise SourceUnreadable(
                self.name, f"row {self.skipped + 1}", "has no column names",
                "put the columns' names into the first row of the table",
            )  # fmt: skip
        for separator, word in SEPARATORS.items() if len(header) == 1 else ():
            if separator != self.separator and separator in header[0]:
                raise SourceUnreadable(
                    self.name, f"row {self.skipped + 1}",
                    f"its cells are separated by a {word}, not by a {SEPARATORS[self.separator]}",
                    f"declare separator = {separator!r} in the map",
                )  # fmt: skip

    def _padded(self, text: str) -> str:
        """Return the text with one more separator at the end of its first line."""
        first = re.search(r"\r\n|\n|\r", text)
        end = first.start() if first else len(text)
        return text[:end] + self.separator + text[end:]

    def _arrow(
        self, text: str, width: int, note: Callable[[pyarrow.csv.InvalidRow], str]
    ) -> pa.Table:
        names = [f"f{n}" for n in range(width)]
        content = text.encode("utf-8")
        try:
            return pyarrow.csv.read_csv(
                pa.BufferReader(content),
                read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.separator,
                    newlines_in_values=b'"' in content,
                    ignore_empty_lines=False,
                    invalid_row_handler=note,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
        except (pa.ArrowException, ValueError) as error:
            odd = content.count(b'"') % 2
            found = OPEN_QUOTE if odd else f"cannot be read as a table ({error})"
            raise SourceUnreadable(self.name, "*", found, "export it again as CSV") from error

    def _uneven(
        self, uneven: list[tuple[int, str]], header: list[str]
    ) -> tuple[dict[int, list[str]], list[Problem]]:
        """Mend rows that differ from the header by empty cells at their end; report the others."""
        mended, problems = {}, []
        named = max((n for n, title in enumerate(header, start=1) if title), default=0)
        for number, line in uneven:
            cells = [cell.strip() for cell in self._cells(line)]
            if not any(cells):
                continue
            if len(cells) >= named and not any(cells[named:]):
                mended[number] = [*cells[:named], *[""] * (len(header) - named)]
                continue
            problems.append(
                Problem(
                    file=self.name,
                    row=number + self.skipped,
                    field="*",
                    found=f"{len(cells)} cell(s) under a header of {named}, the row was left out",
                    advice="give each row as many cells as the header, and quote cells that hold"
                    " a separator",
                    cause="rows with more or fewer cells than the header",
                )
            )
        return mended, problems
