"""A cohort folder damaged at random: it is refused with the file's name, or reads as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import COLUMNS, SUBJECT, TIME, Cohort, Provenance
from contracts.errors import CohortInvalid, Problem
from features.cohort import read_cohort, write_cohort
from features.cohort.summary import summarise

PROVENANCE = Provenance(name="made up", source="test", simulated=True)
FILES = (
    "data/0.parquet", "metadata/codes.parquet", "metadata/dataset.json",
    "metadata/provenance.json", "metadata/subjects.parquet",
)  # fmt: skip
TYPES = (
    pa.int8(), pa.int32(), pa.uint64(), pa.float16(), pa.float64(), pa.string(), pa.string_view(),
    pa.large_string(), pa.binary(), pa.bool_(), pa.timestamp("s"), pa.timestamp("ns"),
    pa.timestamp("us", "UTC"), pa.timestamp("us", "Nowhere/Land"), pa.timestamp("us", "+25:99"),
    pa.date32(), pa.time64("us"), pa.duration("us"), pa.decimal128(20, 3), pa.null(),
    pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.map_(pa.string(), pa.int64()),
    pa.dictionary(pa.int32(), pa.string()),
)  # fmt: skip
STRANGE: tuple[Any, ...] = (
    None, "", 0, -1, 1.5, float("nan"), float("inf"), 2**53 + 1, 2**63 - 1, "x" * 999, "\0", True,
    [], {}, [1, 2], {"a": 1}, "1970-01-01",
)  # fmt: skip
Damage = Callable[[Path, Random], None]


def cut(file: Path, chance: Random) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: chance.randrange(len(content))])


def flipped(file: Path, chance: Random) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(chance.choice([1, 3, 20])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def of_another_file(file: Path, chance: Random) -> None:
    shutil.copy(file.parent.parent / chance.choice([f for f in FILES if file.name not in f]), file)


def no_file(file: Path, chance: Random) -> None:
    file.unlink()
    kind = chance.choice(["folder", "nothing", "itself", "elsewhere"])
    if kind == "folder":
        file.mkdir()
    else:
        file.symlink_to({"nothing": "none", "itself": file.name, "elsewhere": "/"}[kind])


def twice(file: Path, _: Random) -> None:
    file.write_bytes(file.read_bytes() * 2)


def other_values(file: Path, chance: Random) -> None:
    """Change cells, types, names, rows or the order of a table, or the values of an object."""
    if file.suffix == ".json":
        record = json.loads(file.read_text())
        record[chance.choice([*record])] = chance.choice(STRANGE)
        texts = [json.dumps(record), "[" * 100_000, '{"name": 1' + "0" * 9999 + "}", "null"]
        file.write_text(chance.choice([texts[0], texts[0], *texts[1:]]))
        return
    table = pq.read_table(file)
    name = chance.choice(table.column_names)
    place = table.column_names.index(name)
    kind = chance.choice(["type", "cell", "order", "rows", "missing", "twice", "name"])
    if kind == "type":
        table = table.set_column(place, name, converted(table[name], chance.choice(TYPES)))
    elif kind == "cell":
        cells, at = table[name].to_pylist(), chance.randrange(len(table))
        try:
            new = pa.array([chance.choice(STRANGE)], table[name].type)[0].as_py()
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            new = None
        cells[at] = new
        table = table.set_column(place, name, pa.array(cells, table[name].type))
    elif kind == "order":
        table = table.take(pa.array(chance.sample(range(len(table)), len(table)), pa.int64()))
    elif kind == "rows":
        table = table.slice(0, chance.choice([0, 1, 2]))
    elif kind == "missing":
        table = table.drop_columns([name])
    elif kind == "twice":
        table = table.append_column(name, table[name])
    else:
        names = [name.upper() if n == name else n for n in table.column_names]
        table = table.rename_columns(names)
    pq.write_table(table, file)


def converted(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    try:
        return column.cast(kind, safe=False)
    except pa.ArrowException:
        return pa.nulls(len(column), kind)


DAMAGES: tuple[Damage, ...] = (
    cut, flipped, of_another_file, no_file, twice, other_values, other_values, other_values,
)  # fmt: skip
WHOLE_AND_UNCHANGED = {cut, flipped, twice}
"""What never gives another cohort that could be right."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, events: pd.DataFrame) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "cohort"
    small = events[events[SUBJECT] <= 3]
    labels = {int(number): f"P{number}" for number in small[SUBJECT].unique()}
    write_cohort(small, PROVENANCE, folder, labels=labels)
    return folder


def outcome(folder: Path) -> tuple[Cohort | None, tuple[Problem, ...]]:
    try:
        read = read_cohort(folder)
        summarise(read)
    except CohortInvalid as error:
        return None, error.problems
    return read, ()


def judged(whole: Path, scratch: Path, seed: int) -> None:
    chance = Random(seed)
    folder = scratch / "cohort"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    name, damage = chance.choice(FILES), chance.choice(DAMAGES)
    damage(folder / name, chance)
    before = read_cohort(whole)
    read, problems = outcome(folder)
    if read is None:
        assert all(p.file in (*FILES, "data") or p.file.endswith("/data") for p in problems)
        assert all(problem.found and problem.advice for problem in problems)
        return
    numbers = read.events["numeric_value"].dropna()
    assert np.isfinite(numbers).all()
    assert list(read.events.columns) == list(COLUMNS)
    if damage in WHOLE_AND_UNCHANGED and name == FILES[0]:
        pd.testing.assert_frame_equal(read.events, before.events)


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_cohort_is_refused_by_name_or_harmless(
    whole: Path, tmp_path: Path, seed: int
) -> None:
    judged(whole, tmp_path, seed)


@pytest.mark.soak
def test_two_thousand_damaged_cohorts(whole: Path, tmp_path: Path) -> None:
    for seed in range(2000):
        judged(whole, tmp_path, seed)


@pytest.mark.parametrize(
    ("name", "content"),
    [("provenance.json", "[" * 100_000), ("dataset.json", "[" * 100_000),
     ("dataset.json", '{"dataset_name": 5}'), ("dataset.json", "7")],
)  # fmt: skip
def test_deep_and_strange_objects_are_refused(
    whole: Path, tmp_path: Path, name: str, content: str
) -> None:
    shutil.copytree(whole, tmp_path / "cohort")
    (tmp_path / "cohort" / "metadata" / name).write_text(content)
    with pytest.raises(CohortInvalid, match=f"metadata/{name}"):
        read_cohort(tmp_path / "cohort")


def test_a_small_file_that_claims_a_billion_rows_is_refused_unread(
    whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "cohort")
    file = tmp_path / "cohort" / FILES[0]
    one = pq.read_table(file).slice(0, 1)
    many = pa.table({n: pa.repeat(one[n][0], 2_000_000) for n in one.column_names})
    with pq.ParquetWriter(file, many.schema) as writer:
        writer.write_table(many)
        writer.write_table(many)
    assert file.stat().st_size < 100_000
    with pytest.raises(CohortInvalid, match="it claims 4000000 rows"):
        read_cohort(tmp_path / "cohort")


def test_a_cohort_without_any_event_is_refused(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "cohort")
    file = tmp_path / "cohort" / FILES[0]
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    with pytest.raises(CohortInvalid, match="no event of anybody"):
        read_cohort(tmp_path / "cohort")


def test_a_lost_shard_is_not_read_as_a_smaller_cohort(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "cohort")
    (tmp_path / "cohort" / "data" / "1.parquet").symlink_to("gone")
    with pytest.raises(CohortInvalid, match=r"data/1\.parquet"):
        read_cohort(tmp_path / "cohort")


@pytest.mark.parametrize("shifted", [False, True])
def test_a_year_that_no_calendar_has_is_named(
    whole: Path, tmp_path: Path, *, shifted: bool
) -> None:
    shutil.copytree(whole, tmp_path / "cohort")
    folder = tmp_path / "cohort"
    record = json.loads((folder / "metadata" / "provenance.json").read_text())
    (folder / "metadata" / "provenance.json").write_text(
        json.dumps({**record, "dates_shifted": shifted})
    )
    table = pq.read_table(folder / FILES[0])
    times = table[TIME].cast(pa.int64()).to_pylist()
    times[-1] = 2**62
    column = pa.array(times, pa.int64()).cast(pa.timestamp("us"))
    place = table.column_names.index(TIME)
    pq.write_table(table.set_column(place, TIME, column), folder / FILES[0])
    with pytest.raises(CohortInvalid, match="148108-07-06 lies in the future"):
        read_cohort(folder)
