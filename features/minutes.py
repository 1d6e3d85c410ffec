"""A cohort's minutes on disk, and the query that turns them into days, out of core.

Minutes lie in `recordings/minutes/<subject>.parquet`, one file a subject, with `SCHEMA`. DuckDB
reads them as a stream, so memory depends on days, not on minutes. What is summed is kept in
thousandths as decimals, whose sums are exact and don't depend on the order of adding: one thread,
two, or a cluster give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.cohort import SUBJECT, TIME
from features.measurements.wall_clock import NIGHT_FROM_HOUR

MINUTES_FOLDER = "recordings/minutes"

MEASURED = pa.decimal128(12, 3)

SCHEMA = pa.schema(
    [
        (SUBJECT, pa.int64()),
        (TIME, pa.timestamp("us")),
        ("placement", pa.string()),
        ("device", pa.string()),
        # Number of the placement and device within the subject, and whether it is at a wrist.
        ("wearable", pa.int16()),
        ("on_wrist", pa.bool_()),
        # True on the placement with the most worn minutes: its values stand for the body.
        ("main", pa.bool_()),
        ("worn", pa.bool_()),
        # On one row of each minute, whatever the number of devices: was any of them worn.
        ("speaks_for_wear", pa.bool_()),
        ("asleep", pa.bool_()),
        ("enmo_mg", MEASURED),
        ("mad_mg", MEASURED),
        ("counts", MEASURED),
        ("steps", MEASURED),
        ("heart_rate", MEASURED),
        ("use_s", MEASURED),
        # On the affected wrist, in minutes in which both were worn: the other wrist's use.
        ("other_use_s", MEASURED),
        ("standing", MEASURED),
        ("sitting", MEASURED),
        ("lying", MEASURED),
        ("rises", MEASURED),
    ]
)

ACTIVE_MG = 100.0
"""Moderate activity at the wrist (Hildebrand 2014, doi:10.1249/MSS.0000000000000289)."""

RESTING_SHARE, RESTING_MINUTES = 0.05, 240
"""Resting heart rate: the 5th percentile of a day with four hours of heart rate or more (local)."""

QUERY = Path(__file__).with_name("days.sql")
CONSTANTS = {
    "active_mg": ACTIVE_MG,
    "resting_share": RESTING_SHARE,
    "resting_minutes": RESTING_MINUTES,
    "night_from_hour": NIGHT_FROM_HOUR,
}
"""Parameters of the query, beside the files."""


def write_minutes(minutes: pd.DataFrame, folder: Path) -> None:
    """Write one subject's minutes, sorted by time, into a cohort's draft or folder."""
    minutes_folder = folder / MINUTES_FOLDER
    minutes_folder.mkdir(parents=True, exist_ok=True)
    (subject,) = minutes[SUBJECT].unique()
    ordered = minutes.sort_values([TIME, "placement", "device"], kind="stable")
    pairs = ordered["placement"] + "\n" + ordered["device"]
    ordered = ordered.assign(
        wearable=pd.factorize(pairs, sort=True)[0],
        on_wrist=ordered["placement"].str.contains("wrist"),
    )
    columns = [_column(ordered, field) for field in SCHEMA]
    pq.write_table(
        pa.table(columns, schema=SCHEMA),
        minutes_folder / f"{int(subject)}.parquet",
        store_decimal_as_integer=True,
    )


def _column(minutes: pd.DataFrame, field: pa.Field) -> pa.Array:
    if field.name not in minutes:
        return pa.nulls(len(minutes), field.type)
    if field.type == MEASURED:
        numbers = minutes[field.name].astype(float).round(3)
        return pa.array(numbers, from_pandas=True).cast(MEASURED)
    return pa.array(minutes[field.name], type=field.type, from_pandas=True)


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
        Limits of the query; beyond the memory it spills to disk.

    Returns
    -------
    Rows of subject, time (the day), code and value, sorted.
    """
    with duckdb.connect(":memory:", config={"threads": threads, "memory_limit": memory}) as engine:
        return engine.sql(
            QUERY.read_text("utf-8"),
            params={"files": [str(file) for file in files], **CONSTANTS},
        ).to_arrow_table()
