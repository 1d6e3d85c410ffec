"""Files of a cohort as they lie on a disk: what is damaged, or claims what can't be, is refused.

Libraries raise many kinds of errors on bytes that no cohort holds. Here is the one place where they
become a problem that names the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import meds
import pyarrow as pa
import pyarrow.parquet as pq
from flexible_schema import SchemaValidationError, TableValidationError

from contracts.errors import Problem

FAULTS = (
    pa.ArrowException,
    ArithmeticError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    SchemaValidationError,
    TableValidationError,
    TypeError,
    ValueError,
)
"""What libraries raise on damaged files; each was observed."""

AS_WRITTEN = "import the cohort again, or restore the file"
MOST_ROWS_A_BYTE = 10
MOST_BYTES_A_BYTE = 2000
"""A file that claims to hold more than this for each of its bytes is damaged or made to fill the
memory; no row of a cohort is without a value of its own (local)."""

LEAST_BYTES = 1 << 24
"""What any file may hold, however small it is."""

LARGEST_JSON = 1 << 26


@contextmanager
def faults_as_problems(name: str, folder: Path, problems: list[Problem]) -> Iterator[None]:
    """Add a problem of a file where reading it in this block fails.

    Parameters
    ----------
    name
        The file's name, relative to the cohort's folder.
    """
    try:
        yield
    except FAULTS as error:
        problems.append(damaged(name, error, folder))


def damaged(name: str, error: Exception, folder: Path) -> Problem:
    """Return why a file can't be read as a problem."""
    said = str(error).replace(f"{folder}/", "").replace(str(folder), folder.name)
    reason = " ".join(said.split()) or type(error).__name__
    what, advice = "not what a cohort holds there", AS_WRITTEN
    if name.startswith(meds.data_subdirectory):
        what, advice = "not the MEDS data schema", "write it with the columns and types of MEDS"
        if isinstance(error, pa.ArrowException | OSError):
            what, advice = "cannot be read as Parquet", "export it again"
    return Problem(file=name, row=None, field="*", found=f"{what} ({reason})", advice=advice)


def read_stored(file: Path, **options: Any) -> pa.Table:
    """Read a Parquet file of a cohort.

    Raises
    ------
    FAULTS
        It is damaged, no plain file, or claims more than its bytes can hold.
    """
    if not file.is_file():
        raise OSError("it is no file" if file.exists() else "there is no such file")
    held = pq.read_metadata(file)
    size = file.stat().st_size
    claimed = sum(held.row_group(n).total_byte_size for n in range(held.num_row_groups))
    if held.num_rows > LEAST_BYTES // 16 and held.num_rows > MOST_ROWS_A_BYTE * size:
        raise ValueError(f"it claims {held.num_rows} rows in {size} bytes")
    if claimed > LEAST_BYTES and claimed > MOST_BYTES_A_BYTE * size:
        raise ValueError(f"it claims {claimed} bytes of content in {size} bytes")
    return pq.ParquetFile(file, page_checksum_verification=True, **options).read()


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object of a cohort.

    Raises
    ------
    FAULTS
        It is damaged, or no object.
    """
    if file.stat().st_size > LARGEST_JSON:
        raise ValueError(f"it has more than {LARGEST_JSON >> 20} MiB")
    record = json.loads(file.read_text("utf-8"))
    if not isinstance(record, dict):
        raise TypeError("it is not an object")
    return record
