"""Cells of a table as text, whatever kind of file they come from."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def written(cell: object) -> str:
    """Return a cell as people would write it: whole numbers without a decimal point."""
    if cell is None or cell is pd.NaT or cell is pd.NA or cell != cell:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return cell if isinstance(cell, str) else str(cell)


def as_text(cells: pd.Series) -> pa.ChunkedArray:
    """Return cells as text, empty where there is none."""
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iu":
        return pa.chunked_array([pc.cast(pa.array(cells.to_numpy()), pa.large_string())])
    if not isinstance(cells.dtype, pd.StringDtype):
        cells = pd.Series([written(cell) for cell in cells], index=cells.index, dtype="str")
    text = pa.array(cells, from_pandas=True)
    whole = text if isinstance(text, pa.ChunkedArray) else pa.chunked_array([text])
    return pc.fill_null(whole, "")


def text_series(cells: pd.Series) -> pd.Series:
    """Return cells as text without surrounding blanks, by row."""
    return by_row(pc.utf8_trim_whitespace(as_text(cells)), cells.index)


def by_row(text: pa.ChunkedArray, rows: pd.Index) -> pd.Series:
    """Return text by row, without copying it."""
    series: pd.Series = text.to_pandas().astype("str")
    return series.set_axis(rows)


def is_any_of(text: pa.ChunkedArray, words: Collection[str]) -> NDArray[np.bool_]:
    """Return which cells hold one of some words, whatever their case and surrounding blanks."""
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(text))
    known = pa.array(sorted({word.strip().lower() for word in words}), lower.type)
    return np.array(pc.is_in(lower, value_set=known).to_numpy(), dtype=np.bool_)
