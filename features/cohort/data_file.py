"""Reads and writes one data file of a cohort, as MEDS has it."""

from __future__ import annotations

from pathlib import Path

import meds
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from contracts.cohort import CODE, COLUMNS, SUBJECT, TEXT, TIME
from contracts.errors import Problem
from features.cohort.stored import read_stored

EVENT_SCHEMA = pa.schema(
    zip(
        COLUMNS,
        (pa.int64(), pa.timestamp("us"), pa.string(), pa.float32(), pa.large_string()),
        strict=True,
    )
)
"""Columns of a data file, as MEDS has them."""

UTC_ZONES = frozenset({"UTC", "Etc/UTC", "+00:00", "Z", "GMT"})


def write_events(events: pa.Table, file: Path) -> None:
    """Write one data file of a draft cohort: `EVENT_SCHEMA`, sorted as `read_cohort` expects."""
    meds.DataSchema.validate(events)
    # With its checksums a flipped bit is a damaged file and not another value.
    pq.write_table(events, file, write_page_checksum=True)


def read_events(file: Path) -> pd.DataFrame:
    """Read one data file of a cohort, unchecked; codes come as categories.

    A time with a zone keeps its own wall clock, because a day is a day of the person.

    Raises
    ------
    ValueError
        Subjects that are no whole numbers, or times that are no timestamps: turned into them, `01`
        would become 1, and a time with an offset another time.
    """
    stored = read_stored(file, read_dictionary=[CODE])
    if missing := [name for name in COLUMNS if name not in stored.column_names]:
        raise ValueError(f"no column {', '.join(missing)}")
    kinds = {field.name: field.type for field in stored.schema}
    if SUBJECT in kinds and not pa.types.is_integer(kinds[SUBJECT]):
        raise ValueError(f"{SUBJECT} is {kinds[SUBJECT]}, expected whole numbers (int64)")
    if TIME in kinds and not pa.types.is_temporal(kinds[TIME]):
        raise ValueError(f"{TIME} is {kinds[TIME]}, expected timestamps")
    if TIME in kinds and getattr(kinds[TIME], "tz", None):
        place = stored.column_names.index(TIME)
        stored = stored.set_column(place, TIME, pa.compute.local_timestamp(stored[TIME]))
    table = meds.DataSchema.align(stored).select(list(COLUMNS))
    # Few codes fill millions of rows: as categories they are read and compared as integers.
    table = table.set_column(COLUMNS.index(CODE), CODE, table[CODE].dictionary_encode())
    # Nulls break the cohort contract and are reported with their rows, so they are read first;
    # ids beside them stay whole numbers, since as floats two of them may become one.
    nullable = {pa.int64(): pd.Int64Dtype()} if table[SUBJECT].null_count else {}
    events: pd.DataFrame = table.to_pandas(types_mapper=nullable.get)
    return events.astype({TEXT: object})


def clock_notes(file: Path, name: str) -> list[Problem]:
    """Return what is worth knowing of a file's times: days of UTC are nobody's days."""
    zone = str(getattr(pq.read_schema(file).field(TIME).type, "tz", None) or "")
    if zone not in UTC_ZONES:
        return []
    found = "its times are in UTC, so its days are days in UTC and not of the wearer's wall clock"
    advice = "write them as times of the wall clock without a zone, or with the wearer's zone"
    return [Problem(file=name, row=None, field=TIME, found=found, advice=advice)]
