"""Files that may be packed: what they hold is the same, and none unpacks to more than it may."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError, SourceUnreadable
from features.importing import import_source
from features.tables import packed
from features.tables.packed import UNPACKING, opened, opened_archive


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_the_name_decides_nothing(tmp_path: Path, name: str) -> None:
    for number, content in enumerate((b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n"))):
        file = tmp_path / f"{number}-{name}"
        file.write_bytes(content)
        with opened(file, name) as stream:
            assert stream.read() == b"a,b\n1,2\n"
            stream.seek(0)
            assert stream.read(3) == b"a,b"


@pytest.mark.parametrize("content", [b"\x1f\x8b", gzip.compress(b"a" * 9999, mtime=0)[:-20]])
def test_damage_is_an_error_that_readers_expect(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    with pytest.raises(UNPACKING), opened(file, "table.csv") as stream:
        stream.read()


OTHERS = {"xz": lzma.compress(b"a,b\n"), "bzip2": bz2.compress(b"a,b\n"),
          "Zstandard": b"\x28\xb5\x2f\xfd\x04\x00"}  # fmt: skip


@pytest.mark.parametrize("packing", OTHERS)
def test_another_packing_is_named(tmp_path: Path, packing: str) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(OTHERS[packing])
    with pytest.raises(SourceUnreadable, match=f"packed with {packing}.*unpack it"):
        opened(file, "table.csv").__enter__()
    with pytest.raises(ContractError, match=f"packed with {packing}.*unpack it"):
        import_source(tmp_path, tmp_path.with_name("cohort"))


def limited(always: int) -> ExitStack:
    """Make the limits small enough for a test."""
    stack = ExitStack()
    stack.enter_context(patch.object(packed, "ALWAYS_BYTES", always))
    stack.enter_context(patch.object(packed, "MOST_TIMES", 0))
    return stack


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.integers(0, 9000), min_size=1, max_size=4),
    allowed=st.integers(0, 30_000),
    steps=st.integers(1, 5000),
)
def test_exactly_so_much_comes_of_a_packed_file_as_may(
    parts: list[int], allowed: int, steps: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, limited(allowed):
        file = Path(folder) / "packed"
        # Several members in one file, as `cat a.gz b.gz` makes them.
        file.write_bytes(b"".join(gzip.compress(b"x" * size, mtime=0) for size in parts))
        got = 0
        refused = False
        try:
            with opened(file, "packed") as stream:
                while piece := stream.read(steps):
                    got += len(piece)
        except SourceUnreadable:
            refused = True
        assert refused == (sum(parts) > allowed)
        assert got <= allowed if refused else got == sum(parts)


TABLE_MAP = """
name = "ours"
clock = "days since onset"
[[tables]]
file = "values"
subject = "id"
when = "day"
columns = [{ column = "fm", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" }]
"""


def zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def parquet(rows: int) -> bytes:
    target = io.BytesIO()
    pd.DataFrame({"id": [1] * rows, "day": 3, "fm": 20}).to_parquet(target)
    return target.getvalue()


PEOPLE = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth\n"
EXPORT = b'<HealthData locale="de">'
SOURCES: dict[str, Callable[[Path, int], Path]] = {}


def source(write: Callable[[int], dict[str, bytes]]) -> None:
    """Register a source: its files by name, of which one comes to so many bytes and more."""

    def made(folder: Path, size: int) -> Path:
        folder.mkdir()
        for name, content in write(size).items():
            (folder / name).write_bytes(content)
        return folder / "map.toml" if (folder / "map.toml").exists() else folder

    SOURCES[write.__name__.removeprefix("_")] = made


@source
def _table(size: int) -> dict[str, bytes]:
    return {"map.toml": TABLE_MAP.encode(), "values": gzip.compress(b"id,day,fm\n" + b" " * size)}


@source
def _parquet(size: int) -> dict[str, bytes]:
    toml = TABLE_MAP.replace('"values"', '"values.parquet"')
    return {"map.toml": toml.encode(), "values.parquet": parquet(1 + size // 8)}


@source
def _fhir(size: int) -> dict[str, bytes]:
    patient = json.dumps({"resourceType": "Patient", "id": "1"}).encode()
    return {"a.ndjson.gz": gzip.compress(patient + b"\n" * size + patient)}


@source
def _omop(size: int) -> dict[str, bytes]:
    return {
        "person.csv.gz": gzip.compress(f"{PEOPLE}1,8507,1950,1,1\n{' ' * size}".encode()),
        "measurement.csv": b"person_id,measurement_concept_id,measurement_date\n",
    }


@source
def _recording(size: int) -> dict[str, bytes]:
    return {"a.AWD": gzip.compress(b"name\r\n01-Jan-2020\r\n12:00\r\n" + b"1\r\n" * size)}


@source
def _gt3x(size: int) -> dict[str, bytes]:
    return {"a.gt3x": zipped({"log.bin": bytes(size), "info.txt": b"Sample Rate: 30\n"})}


@source
def _gt3x_info(size: int) -> dict[str, bytes]:
    return {"a.gt3x": zipped({"info.txt": b"a:b\n" * size, "log.bin": b""})}


@source
def _phone(size: int) -> dict[str, bytes]:
    return {"export.zip": zipped({"apple_health_export/export.xml": EXPORT + b" " * size})}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_unpacks_to_too_much_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str
) -> None:
    size, allowed = 4_000_000, 100_000
    given_source = SOURCES[name](tmp_path / "source", size)
    with limited(allowed):
        tracemalloc.start()
        try:
            with pytest.raises(ContractError, match=r"(?s)more than 100\.0 kB.*unpack it yourself"):
                import_source(given_source, tmp_path / "cohort")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < size // 2, "what is refused was held"
    assert not (tmp_path / "cohort").exists()


def test_a_member_gives_no_more_than_the_directory_says(tmp_path: Path) -> None:
    honest = zipped({"a": b"x" * 1000})
    # The size stands in the member's own head and in the directory.
    lying = honest.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(lying)
    got = b""
    with (
        opened_archive(tmp_path / "a.zip", "a.zip") as archive,
        archive.open("a") as stream,
        suppress(zipfile.BadZipFile),
    ):
        while piece := stream.read(4):
            got += piece
    assert len(got) <= 10


def test_a_way_of_zip_that_cannot_be_bounded_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a", b"x" * 1000)
    with pytest.raises(SourceUnreadable, match="pack it again"):
        opened_archive(tmp_path / "a.zip", "a.zip").__enter__()


def test_what_is_packed_as_tables_are_is_read(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 90},{n % 67}\n" for n in range(200_000)).encode()
    (tmp_path / "a.gz").write_bytes(gzip.compress(rows))
    with patch.object(packed, "ALWAYS_BYTES", 0), opened(tmp_path / "a.gz", "a.gz") as stream:
        assert stream.read() == rows
