"""Tables of whole cohorts: their columns without reading the rows, and their rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import SourceUnreadable

ADVICE = "download it again"


def columns_of(file: Path) -> set[str]:
    """Return the columns of a CSV or Parquet file, none where it is missing or unreadable."""
    if not file.is_file():
        return set()
    try:
        if file.suffix == ".parquet":
            return set(pq.read_schema(file).names)
        return set(pd.read_csv(file, nrows=0).columns)
    except (OSError, ValueError, pa.ArrowException):
        return set()


def read_csv(file: Path) -> pd.DataFrame:
    """Read a CSV file.

    Raises
    ------
    SourceUnreadable
        It is not a table.
    """
    try:
        return pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise SourceUnreadable(file.name, "*", f"cannot be read ({error})", ADVICE) from error


def read_parquet(file: Path) -> pd.DataFrame:
    """Read a Parquet file.

    Raises
    ------
    SourceUnreadable
        It is not a Parquet file.
    """
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceUnreadable(file.name, "*", f"cannot be read ({error})", ADVICE) from error
