"""Files that may be packed: what they hold is the same, and damage is one of the known errors."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from features.tables.packed import UNPACKING, opened


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_the_name_decides_nothing(tmp_path: Path, name: str) -> None:
    for number, content in enumerate((b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n"))):
        file = tmp_path / f"{number}-{name}"
        file.write_bytes(content)
        with opened(file) as stream:
            assert stream.read() == b"a,b\n1,2\n"


@pytest.mark.parametrize("content", [b"\x1f\x8b", gzip.compress(b"a" * 9999, mtime=0)[:-20]])
def test_damage_is_an_error_that_readers_expect(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    with pytest.raises(UNPACKING), opened(file) as stream:
        stream.read()
