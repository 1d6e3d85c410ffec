"""Tables of text (CSV and its kin), read as they are declared: no cell is ever moved or guessed.

What makes a table ambiguous is an error with file, row, column and the way out: another encoding
or separator than declared, two columns of one name, a row with too many or too few cells.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import charset_normalizer
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import Problem, SourceUnreadable

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16",
}  # fmt: skip
MISSING_LIKE = frozenset({"na", "n/a", "nan", "null", "none", "nil", ".", "-", "--", "?", "k.a.",
                          "ka", "missing", "unknown", "unk", "nd", "n.d.", "#n/a"})  # fmt: skip
"""What people write for a missing value; left out as such, and named unless the map declares it."""

NUMBER_LIKE_CODES = (-1.0, -8.0, -9.0, -99.0, -999.0, 77.0, 88.0, 99.0, 777.0, 888.0, 999.0, 9999.0)
"""Numbers that stand for a missing value in many studies."""


class TableForm(BaseModel):
    """How a table is written; what is not declared is the standard of RFC 4180 and ISO 8601.

    Parameters
    ----------
    separator, encoding
        Between cells; of the file (UTF-8, or UTF-16 by its byte order mark).
    decimal, thousands
        Signs within numbers.
    date_format
        Form of dates, such as `DD.MM.YYYY`; empty for ISO 8601.
    missing
        Cells that stand for a missing value, beside empty ones: `["NA", "999"]`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    separator: Literal[",", ";", "\t", "|"] = ","
    encoding: str = ""
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, Field(max_length=1)] = ""
    date_format: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table as text.

    Parameters
    ----------
    file
        Its name in messages.
    cells
        Text without surrounding blanks, empty where there is none; the index is the row as a
        spreadsheet counts it (the header is row 1).
    problems
        Rows that were left out because their cells can't be told apart.
    """

    file: str
    cells: pd.DataFrame
    problems: tuple[Problem, ...] = field(default=())


def read_text_table(
    path: Path, name: str, form: TableForm | None = None, *, skip_rows: int = 0
) -> TextTable:
    """Read a table of text.

    Parameters
    ----------
    name
        The file's name in messages.
    skip_rows
        Rows above the header.

    Raises
    ------
    SourceUnreadable
        It can't be opened, decoded or told apart into columns.
    """
    form = form or TableForm()
    return parse_text_table(read_text(path, name, form.encoding), name, form, skip_rows=skip_rows)


def parse_text_table(text: str, name: str, form: TableForm, *, skip_rows: int = 0) -> TextTable:
    """Parse a table of text that was read already, as `read_text_table` does."""
    rows, uneven = _parsed(text, name, form, skip_rows)
    if rows.empty:
        raise SourceUnreadable(name, "row 1", "the table is empty", "export or copy it again")
    header = [str(cell).strip() for cell in rows.iloc[0]]
    rows = rows.iloc[1:]
    keep = _columns(rows, header, name)
    cells = rows.iloc[:, keep]
    cells.columns = pd.Index([header[n] for n in keep])
    blank = (cells == "").all(axis=1)
    return TextTable(file=name, cells=cells[~blank], problems=tuple(uneven))


def _columns(rows: pd.DataFrame, header: list[str], name: str) -> list[int]:
    """Return the positions of the named columns; nameless ones must be empty."""
    keep = []
    for n, title in enumerate(header):
        if title:
            keep.append(n)
        elif (filled := rows.iloc[:, n] != "").any():
            row = int(rows.index[filled.to_numpy().argmax()])
            raise SourceUnreadable(
                name, f"row {row}, column {n + 1}",
                f"holds {rows.iloc[:, n][row]!r}, but the header has no name for this column",
                "give each column a name in the header, and each row as many cells as the header",
            )  # fmt: skip
    titles = [header[n] for n in keep]
    if twice := sorted({title for title in titles if titles.count(title) > 1}):
        raise SourceUnreadable(
            name, "row 1", f"two columns have the same name: {', '.join(twice)}",
            "give each column a name of its own",
        )  # fmt: skip
    return keep


def read_text(path: Path, name: str, encoding: str = "") -> str:
    """Read and decode a file of text, packed with gzip or not.

    Raises
    ------
    SourceUnreadable
        It can't be opened, unpacked or decoded.
    """
    try:
        content = path.read_bytes()
        if content.startswith(GZIP_MAGIC):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceUnreadable(
            name, "*", f"cannot be opened ({error})", "check path and permissions, or copy it again"
        ) from error
    marked = next((e for mark, e in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "")
    encoding = marked or encoding or "utf-8"
    try:
        text = content.decode(encoding)
    except (UnicodeError, LookupError) as error:
        likely = ["cp1252", "cp1250", "latin-1", "utf-16", "mac_roman"]
        best = charset_normalizer.from_bytes(content[: 1 << 20], cp_isolation=likely).best()
        guess = "" if best is None else f"; it may be {best.encoding}"
        raise SourceUnreadable(
            name, "*", f"is not text in {encoding}{guess}",
            'save it as UTF-8, or declare its encoding in the map, such as encoding = "latin-1"',
        ) from error  # fmt: skip
    if "\0" in text[: 1 << 16]:
        raise SourceUnreadable(name, "*", "is not text", "export it as CSV in UTF-8")
    return text


def _parsed(
    text: str, name: str, form: TableForm, skip_rows: int
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return all rows with the header, by spreadsheet row, and the rows of another width."""
    if skip_rows:
        text = "\n".join(text.splitlines()[skip_rows:]) + "\n"
    if not text.strip():
        raise SourceUnreadable(name, "*", "the table is empty", "export or copy it again")
    header = _cells(text, form)
    if not any(title.strip() for title in header):
        raise SourceUnreadable(
            name, f"row {skip_rows + 1}", "has no column names",
            "put the columns' names into the first row of the table",
        )  # fmt: skip
    _check_separator(header, name, form)
    uneven: list[tuple[int, str]] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        uneven.append((row.number, row.text))
        return "skip"

    table = _arrow(text, name, form, len(header), note)
    if uneven and len(uneven) == table.num_rows + len(uneven) - 1:
        # A separator at the end of every row: the header gets one too, and no cell moves.
        padded = _with_separator(text, form)
        again = _arrow(padded, name, form, len(header) + 1, lambda row: "skip")
        if again.num_rows == table.num_rows + len(uneven):
            uneven, table, header = [], again, [*header, ""]
    skipped = np.array([number for number, _ in uneven], dtype=np.int64)
    numbers = np.setdiff1d(np.arange(1, table.num_rows + len(uneven) + 1), skipped)
    rows = pa.table([pc.utf8_trim_whitespace(column) for column in table], table.column_names)
    rows = rows.to_pandas()
    rows.index = pd.Index(numbers[: len(rows)])
    mended, problems = _uneven(uneven, header, name, form, skip_rows)
    if mended:
        added = pd.DataFrame.from_dict(mended, orient="index", columns=rows.columns)
        rows = pd.concat([rows, added]).sort_index()
    rows.index = rows.index + skip_rows
    return rows, problems


def _cells(line: str, form: TableForm) -> list[str]:
    return next(csv.reader(io.StringIO(line), delimiter=form.separator), [])


def _with_separator(text: str, form: TableForm) -> str:
    """Return the text with one more separator at the end of its first line."""
    first = len(text.split("\n", 1)[0].rstrip("\r"))
    return text[:first] + form.separator + text[first:]


def _uneven(
    uneven: list[tuple[int, str]], header: list[str], name: str, form: TableForm, skip_rows: int
) -> tuple[dict[int, list[str]], list[Problem]]:
    """Mend rows that differ from the header by empty cells at their end; report the others."""
    mended, problems = {}, []
    named = max((n for n, title in enumerate(header, start=1) if title.strip()), default=0)
    for number, line in uneven:
        cells = _cells(line, form)
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) >= named and not any(cell.strip() for cell in cells[named:]):
            mended[number] = [
                *(cell.strip() for cell in cells[:named]),
                *[""] * (len(header) - named),
            ]
            continue
        found = f"{len(cells)} cell(s) under a header of {named}, the row was left out"
        advice = "give each row as many cells as the header, and quote cells with a separator"
        problems.append(
            Problem(file=name, row=number + skip_rows, field="*", found=found, advice=advice)
        )
    return mended, problems


def _check_separator(header: list[str], name: str, form: TableForm) -> None:
    if len(header) != 1:
        return
    for separator, word in SEPARATORS.items():
        if separator != form.separator and separator in header[0]:
            raise SourceUnreadable(
                name, "row 1",
                f"its cells are separated by a {word}, not by a {SEPARATORS[form.separator]}",
                f"declare separator = {separator!r} in the map",
            )  # fmt: skip


def _arrow(text: str, name: str, form: TableForm, width: int, note: object) -> pa.Table:
    names = [f"f{n}" for n in range(width)]
    try:
        return pyarrow.csv.read_csv(
            io.BytesIO(text.encode("utf-8")),
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=form.separator,
                newlines_in_values='"' in text,
                ignore_empty_lines=False,
                invalid_row_handler=note,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        raise SourceUnreadable(
            name, "*", f"cannot be read as a table ({error})", "export it again as CSV"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Written numbers; N cells.

    Parameters
    ----------
    value_N
        NaN where a cell is missing or is not a number.
    bad_N
        Cells that are neither a number nor missing.
    undeclared_N
        Cells that look like a missing value (`NA`, `k.A.`) which the map does not declare.
    """

    value_N: NDArray[np.float64]
    bad_N: NDArray[np.bool_]
    undeclared_N: NDArray[np.bool_]


def read_numbers(cells: pd.Series, form: TableForm | None = None) -> Numbers:
    """Read a column of plain decimal numbers, text or the numbers of a Parquet file.

    Nothing else is a number: no words (`nan`, `inf`), no digits grouped in an undeclared way.
    """
    form = form or TableForm()
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iuf":
        value_N = cells.to_numpy(dtype=np.float64)
        no_N = np.zeros(len(cells), dtype=np.bool_)
        missing = pd.to_numeric(pd.Series(form.missing, dtype=object), errors="coerce").dropna()
        value_N = np.where(np.isin(value_N, missing.to_numpy(dtype=float)), np.nan, value_N)
        return Numbers(value_N=value_N, bad_N=np.isinf(value_N), undeclared_N=no_N)
    value_N = np.full(len(cells), math.nan)
    bad_N, undeclared_N = (np.zeros(len(cells), dtype=np.bool_) for _ in range(2))
    if not form.thousands and not form.missing and form.decimal == ".":
        # Most cells are plain: only the others need to be looked at one by one.
        plain = pd.to_numeric(cells, errors="coerce")
        value_N = plain.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    rest_N = np.flatnonzero(~np.isfinite(value_N))
    value_N[rest_N] = np.nan
    declared = {word.casefold() for word in form.missing}
    pattern = _number_pattern(form)
    for n in rest_N:
        cell = cells.iloc[n]
        word = "" if cell is None or cell != cell else str(cell).strip()
        if not word or word.casefold() in declared:
            continue
        if word.casefold() in MISSING_LIKE:
            undeclared_N[n] = True
        elif pattern.match(word) and math.isfinite(number := _number(word, form)):
            value_N[n] = number
        else:
            bad_N[n] = True
    return Numbers(value_N=value_N, bad_N=bad_N, undeclared_N=undeclared_N)


def _number_pattern(form: TableForm) -> re.Pattern[str]:
    grouped = rf"\d{{1,3}}(?:{re.escape(form.thousands)}\d{{3}})+" if form.thousands else "(?!)"
    point = re.escape(form.decimal)
    return re.compile(
        rf"^[+-]?(?:(?:\d+|{grouped})(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?$", re.ASCII
    )


def _number(word: str, form: TableForm) -> float:
    if form.thousands:
        word = word.replace(form.thousands, "")
    return float(word.replace(form.decimal, "."))
