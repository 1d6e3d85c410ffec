"""Tables of text (CSV and its kin), read as they are declared: no cell is ever moved or guessed.

What makes a table ambiguous is an error with file, row, column and the way out: another encoding
or separator than declared, two columns of one name, a row with too many or too few cells.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from contracts.errors import ContractError, Problem, SourceUnreadable
from features.measurements.wall_clock import strptime_form
from features.tables.cells import as_text, is_any_of
from features.tables.csv_rows import read_text, rows_of
from features.tables.missing import MISSING_LIKE

_GROUPED = r"^\s*[+]?[1-9]\d{0,2}(?:\.\d{3})+\s*$"


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

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    separator: Literal[",", ";", "\t", "|"] = ","
    encoding: str = ""
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, Field(max_length=1)] = ""
    date_format: str = ""
    missing: tuple[str, ...] = ()

    @field_validator("date_format")
    @classmethod
    def _known_form(cls, form: str) -> str:
        return known_form(form)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding or "utf-8")
        except LookupError as error:
            raise ValueError(f"{encoding!r} is no encoding: use one such as latin-1") from error
        return encoding


def known_form(form: str) -> str:
    """Return a declared form of dates as it is; empty stays empty.

    Raises
    ------
    ValueError
        It is not one.
    """
    try:
        if form:
            strptime_form(form)
    except ContractError as error:
        raise ValueError(str(error)) from error
    return form


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table as text, or as a Parquet file holds it.

    Parameters
    ----------
    file
        Its name in messages.
    cells
        Text without surrounding blanks, empty where there is none; the index is the row as a
        spreadsheet counts it (the header is row 1).
    header_row
        Row of the header, 1 where nothing is above it.
    problems
        Rows that were left out because their cells can't be told apart.
    """

    file: str
    cells: pd.DataFrame
    header_row: int = 1
    problems: tuple[Problem, ...] = field(default=())

    def check_columns(self, wanted: Collection[str]) -> list[Problem]:
        """Return a problem for each of these columns that the table lacks."""
        found = ", ".join(map(str, self.cells.columns))
        return [
            Problem(
                file=self.file, row=1, field=name, found=f"no column {name}; found: {found}",
                advice="correct the map, or rename the right column",
            )
            for name in dict.fromkeys(wanted)
            if name and name not in self.cells.columns
        ]  # fmt: skip


def read_text_table(
    path: Path,
    name: str,
    form: TableForm | None = None,
    *,
    skip_rows: int = 0,
    as_written: Collection[str] = (),
) -> TextTable:
    """Read a table of text.

    Parameters
    ----------
    name
        The file's name in messages.
    skip_rows
        Rows above the header.
    as_written
        Columns whose cells keep the blanks around them, such as identifiers.

    Raises
    ------
    SourceUnreadable
        It can't be opened, decoded or told apart into columns.
    """
    form = form or TableForm()
    return parse_text_table(
        read_text(path, name, form.encoding), name, form, skip_rows=skip_rows, as_written=as_written
    )


def parse_text_table(
    text: str,
    name: str,
    form: TableForm,
    *,
    skip_rows: int = 0,
    as_written: Collection[str] = (),
) -> TextTable:
    """Parse a table of text that was read already, as `read_text_table` does."""
    rows = rows_of(text, name, separator=form.separator, skip_rows=skip_rows, as_written=as_written)
    keep = _columns(rows.cells, rows.header, name)
    cells = rows.cells.iloc[:, keep]
    cells.columns = pd.Index([rows.header[n] for n in keep])
    blank = np.ones(len(cells), dtype=np.bool_)
    for n in range(len(keep)):
        blank &= (cells.iloc[:, n] == "").to_numpy(dtype=np.bool_)
        if not blank.any():
            break
    kept = cells[~blank] if blank.any() else cells
    return TextTable(
        file=name, cells=kept, header_row=rows.header_row, problems=tuple(rows.problems)
    )


def _columns(rows: pd.DataFrame, header: list[str], name: str) -> list[int]:
    """Return the positions of the named columns; nameless ones must be empty."""
    keep = []
    for n, title in enumerate(header):
        if title:
            keep.append(n)
        elif (filled := rows.iloc[:, n] != "").any():
            row = int(rows.index.to_numpy()[filled.to_numpy().argmax()])
            raise SourceUnreadable(
                name, f"row {row}, column {n + 1}",
                f"holds {rows.iloc[:, n][row]!r}, but the header has no name for this column",
                "give each column a name in the header, and each row as many cells as the header",
            )  # fmt: skip
    refuse_repeated([header[n] for n in keep], name)
    return keep


def refuse_repeated(titles: list[str], name: str) -> None:
    """Refuse a table with two columns of one name: which is meant is not said."""
    if twice := sorted({title for title in titles if titles.count(title) > 1}):
        raise SourceUnreadable(
            name, "row 1", f"two columns have the same name: {', '.join(twice)}",
            "give each column a name of its own",
        )  # fmt: skip


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


def may_be_grouped(cells: pd.Series, form: TableForm) -> NDArray[np.bool_]:
    """Return which cells of a counted quantity may have points between their thousands.

    As a decimal number `4.500` steps are a thousandth of what was counted, and nobody would see it.
    """
    is_number = isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iuf"
    if is_number or form.thousands:
        return np.zeros(len(cells), dtype=np.bool_)
    found = pc.match_substring_regex(as_text(cells), _GROUPED).to_numpy()
    return np.array(found, dtype=np.bool_)


def read_numbers(cells: pd.Series, form: TableForm | None = None) -> Numbers:
    """Read a column of plain decimal numbers, text or the numbers of a Parquet file.

    Nothing else is a number: no words (`nan`, `inf`, `True`), no digits grouped in an undeclared
    way.
    """
    form = form or TableForm()
    no_N = np.zeros(len(cells), dtype=np.bool_)
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iuf":
        value_N = cells.to_numpy(dtype=np.float64)
        bad_N = np.isinf(value_N)
        value_N = np.where(np.isin(value_N, _declared_numbers(form)) | bad_N, np.nan, value_N)
        return Numbers(value_N=value_N, bad_N=bad_N, undeclared_N=no_N)
    text = as_text(cells)
    plain_N = _plain_numbers(text) if form == TableForm() else None
    if plain_N is not None:
        return Numbers(value_N=plain_N, bad_N=no_N, undeclared_N=no_N)
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(text))
    matched = pc.match_substring_regex(lower, _number_pattern(form))
    digits = pc.if_else(matched, lower, None)
    if form.thousands:
        digits = pc.replace_substring(digits, form.thousands, "")
    digits = pc.replace_substring(digits, form.decimal, ".")
    value_N = _floats(pc.cast(pc.utf8_ltrim(digits, characters="+"), pa.float64()))
    empty_N = np.array(pc.equal(lower, "").to_numpy(), dtype=np.bool_)
    declared_N = is_any_of(text, form.missing) | np.isin(value_N, _declared_numbers(form))
    undeclared_N = is_any_of(text, MISSING_LIKE) & ~declared_N
    value_N = np.where(declared_N | np.isinf(value_N), np.nan, value_N)
    bad_N = np.isnan(value_N) & ~empty_N & ~declared_N & ~undeclared_N
    return Numbers(value_N=value_N, bad_N=bad_N, undeclared_N=undeclared_N)


def _plain_numbers(text: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """Return numbers of a column where every cell is a plain one or empty, else None."""
    try:
        value_N = _floats(pc.cast(pc.if_else(pc.equal(text, ""), None, text), pa.float64()))
    except pa.ArrowInvalid:
        return None
    words = pc.any(pc.match_substring_regex(text, "[nN]")).as_py()
    return None if words or np.isinf(value_N).any() else value_N


def _floats(values: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.array(pc.fill_null(values, np.nan).to_numpy(), dtype=np.float64)


def _declared_numbers(form: TableForm) -> NDArray[np.float64]:
    written = pd.Series(form.missing, dtype=object).str.replace(form.decimal, ".", regex=False)
    return pd.to_numeric(written, errors="coerce").dropna().to_numpy(dtype=np.float64)


def _number_pattern(form: TableForm) -> str:
    """Return the pattern of a number in the form, for RE2."""
    point = re.escape(form.decimal)
    grouped = rf"|\d{{1,3}}(?:{re.escape(form.thousands)}\d{{3}})+" if form.thousands else ""
    return rf"^[+-]?(?:(?:\d+{grouped})(?:{point}\d*)?|{point}\d+)(?:e[+-]?\d+)?$"
