"""Tables of text and Parquet files, as one kind of table."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import SourceUnreadable
from features.tables.packed import refuse_swollen_parquet
from features.tables.text_tables import (
    TableForm,
    TextTable,
    read_text_table,
    refuse_repeated,
)


def read_table(
    path: Path, name: str, form: TableForm | None = None, *, as_written: Collection[str] = ()
) -> TextTable:
    """Read a table of text or a Parquet file; the first data row of both is row 2.

    Raises
    ------
    SourceUnreadable
        As `read_text_table`.
    """
    if path.suffix != ".parquet":
        return read_text_table(path, name, form, as_written=as_written)
    try:
        refuse_swollen_parquet(path, name)
        table = pq.read_table(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceUnreadable(
            name, "*", f"cannot be read as Parquet ({error})", "check the path and export it again"
        ) from error
    refuse_repeated(table.column_names, name)
    columns = [_plain(table[place], name, title) for place, title in enumerate(table.column_names)]
    plain = pa.table(columns, table.column_names)
    # Whole numbers with gaps must not become decimal ones: `1` would be the identifier `1.0`.
    cells = plain.to_pandas(ignore_metadata=True, integer_object_nulls=True)
    cells.index = pd.RangeIndex(2, len(cells) + 2)
    return TextTable(file=name, cells=cells)


def _plain(column: pa.ChunkedArray, name: str, title: str) -> pa.ChunkedArray:
    """Return a Parquet column without encodings that only save space; text as text.

    Some programs write text as bytes that the file does not call text.
    """
    kind = pa.types
    if kind.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind.is_binary(column.type) or kind.is_large_binary(column.type):
        try:
            return column.cast(pa.large_string())
        except pa.ArrowInvalid as error:
            raise SourceUnreadable(
                name, title, "the column holds bytes that are no text in UTF-8",
                "write the column as text and export it again",
            ) from error  # fmt: skip
    if pa.types.is_date(column.type):
        return column.cast(pa.timestamp("ms"))
    return column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column
