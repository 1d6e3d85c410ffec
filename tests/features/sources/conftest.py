from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.recording import Reading, SourceFile
from features.sources import formats


@pytest.fixture
def read() -> Callable[[Path], Reading]:
    """Reads a file that gives one reading."""

    def read_file(path: Path) -> Reading:
        file = SourceFile(path=path, name=path.name, subject_label="somebody")
        (reading,) = formats.read(file)
        return reading

    return read_file


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a JSON document to a file."""

    def write(document: Any) -> Path:
        file = tmp_path / "document"
        file.write_text(json.dumps(document), "utf-8")
        return file

    return write


@pytest.fixture
def values() -> Callable[[Reading, str], dict[str, float]]:
    """Takes the values of one code, by day, from a reading."""

    def by_day(reading: Reading, code: str) -> dict[str, float]:
        assert reading.records is not None
        rows = reading.records[reading.records["code"] == code]
        return {
            str(t.date()): v
            for t, v in rows[["time", "numeric_value"]].itertuples(index=False, name=None)
        }

    return by_day
