"""A cohort's minutes on disk, and the query that turns them into days, out of core.

Minutes lie in `recordings/minutes/<subject>.parquet`, one file a subject, with `SCHEMA`. DuckDB
reads them as a stream, so memory depends on days, not on minutes. Numbers that are summed are
rounded to integers of a thousandth first: integer sums don't depend on the order of adding, so one
thread, two, or a cluster give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.cohort import SUBJECT, TIME

MINUTES_FOLDER = "recordings/minutes"

SCHEMA = pa.schema(
    [
        (SUBJECT, pa.int64()),
        (TIME, pa.timestamp("us")),
        ("placement", pa.string()),
        ("device", pa.string()),
        # True on the placement with the most worn minutes: one device speaks for the body.
        ("main", pa.bool_()),
        # `affected` or `other` where both wrists were recorded and the affected arm is known.
        ("side", pa.string()),
        ("worn", pa.bool_()),
        ("asleep", pa.bool_()),
        ("enmo_mg", pa.float32()),
        ("counts", pa.float32()),
        ("steps", pa.float32()),
        ("heart_rate", pa.float32()),
        ("use_s", pa.float32()),
        ("standing", pa.float32()),
        ("sitting", pa.float32()),
        ("lying", pa.float32()),
        ("rises", pa.float32()),
    ]
)

ACTIVE_MG = 100.0
"""Moderate activity at the wrist (Hildebrand 2014, doi:10.1249/MSS.0000000000000289)."""

RESTING_SHARE, RESTING_MINUTES = 0.05, 240
"""Resting heart rate: the 5th percentile of a day with four hours of heart rate or more (local)."""

QUERY = Path(__file__).with_name("days.sql")


def write_minutes(minutes: pd.DataFrame, folder: Path) -> None:
    """Write one subject's minutes, sorted by time, into a cohort's draft or folder."""
    place = folder / MINUTES_FOLDER
    place.mkdir(parents=True, exist_ok=True)
    (subject,) = minutes[SUBJECT].unique()
    ordered = minutes.sort_values([TIME, "placement", "device"], kind="stable")
    columns = {
        field.name: pa.array(
            ordered[field.name] if field.name in ordered else [None] * len(ordered),
            type=field.type,
            from_pandas=True,
        )
        for field in SCHEMA
    }
    pq.write_table(pa.table(columns, schema=SCHEMA), place / f"{int(subject)}.parquet")


def minute_files(cohort: Path) -> list[Path]:
    """Return the minute files of a cohort folder, by subject; empty where it has none."""
    return sorted((cohort / MINUTES_FOLDER).glob("*.parquet"), key=lambda file: int(file.stem))


def days_of(files: Sequence[Path], *, threads: int = 2, memory: str = "1GB") -> pa.Table:
    """Turn minutes into daily biomarkers.

    Parameters
    ----------
    files
        Parquet files with `SCHEMA`.
    threads, memory
        What the query may take; beyond the memory it spills to disk.

    Returns
    -------
    Rows of subject, time (the day), code and value, sorted.
    """
    with duckdb.connect(":memory:", config={"threads": threads, "memory_limit": memory}) as engine:
        return engine.sql(
            QUERY.read_text("utf-8"),
            params={
                "files": [str(file) for file in files],
                "active_mg": ACTIVE_MG,
                "resting_share": RESTING_SHARE,
                "resting_minutes": RESTING_MINUTES,
            },
        ).to_arrow_table()
