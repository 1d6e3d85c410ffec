"""Tables of text: declared forms are read, ambiguous ones refused, and no cell is ever moved."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts.errors import SourceUnreadable
from features.tables.table_files import read_table
from features.tables.text_tables import TableForm, TextTable, read_numbers, read_text_table

Read = Callable[..., TextTable]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_content(content: str | bytes, **form: object) -> TextTable:
        file = tmp_path / "t.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_text_table(file, "t.csv", TableForm.model_validate(form))

    return read_content


def rows(table: TextTable) -> dict[int, list[str]]:
    return {int(row): cells.tolist() for row, cells in table.cells.iterrows()}  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,2\n", {2: ["1", "2"]}),
        ("a,b\n 1 ,2\n", {2: ["1", "2"]}),
        ("a,b\n1,2,\n3,4,\n", {2: ["1", "2"], 3: ["3", "4"]}),
        ("a,b\n1,2,,\n3,4,,\n", {2: ["1", "2"], 3: ["3", "4"]}),
        ("a,b,\n1,2\n3,4\n", {2: ["1", "2"], 3: ["3", "4"]}),
        ("a,b\n1,2,\n3,4\n", {2: ["1", "2"], 3: ["3", "4"]}),
        ("a,b\n\n1,2\n,\n3,4\n", {3: ["1", "2"], 5: ["3", "4"]}),
        ("a,b\r1,2\r3,4\r", {2: ["1", "2"], 3: ["3", "4"]}),
        ("a,b\r\n1,2\r\n", {2: ["1", "2"]}),
        ("sep=;\na;b\n1;2\n", {3: ["1", "2"]}),
        ('"a","b"\n"1","x, y"\n"2","two\nlines"\n3,z\n',
         {2: ["1", "x, y"], 3: ["2", "two\nlines"], 4: ["3", "z"]}),
        ('a,b\n1,12" cane\n3,4\n', {2: ["1", '12" cane'], 3: ["3", "4"]}),
        ("\ufeffa,b\n1,2\n", {2: ["1", "2"]}),
        ("a,b\n", {}),
    ],
)  # fmt: skip
def test_cells_stay_in_their_row_and_column(
    read: Read, content: str, expected: dict[int, list[str]]
) -> None:
    table = read(content)
    assert rows(table) == expected
    assert [title.strip() for title in table.cells.columns] == ["a", "b"]
    assert not table.problems


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("a;b\n1;2\n", "separated by a semicolon"),
        ("a\tb\n1\t2\n", "separated by a tab"),
        ("a,a\n1,2\n", "same name: a"),
        ("a,b\n1,2,3\n4,5,6\n", "row 2, column 3: holds '3'"),
        ("a,,b\n1,2,3\n", "no name for this column"),
        ('a,b\n1,"2\n3,4\n5,6\n', "row 2: a quotation mark opens"),
        ('a,b,c\n1,"x\n2,3,4\n5,"y,z\n', "looks like a row of the table"),
        ('"a","b","c"\n"1","x,\n"2","3\n4,5,6\n"","4"\n', "looks like a row of the table"),
        ('"a","b","c"\n1,"x\n2,3,4\n5,y",z\n', "looks like a row of the table"),
        (b"a,b\n1,\x00\n", "is not text"),
        ("a,b\nJos\xe9,2\n".encode("latin-1"), "is not text in utf-8"),
    ],
)
def test_what_can_not_be_told_apart_is_refused_with_its_place(
    read: Read, content: str | bytes, words: str
) -> None:
    with pytest.raises(SourceUnreadable, match=words):
        read(content)


def test_a_row_of_another_width_is_left_out_and_named(read: Read) -> None:
    table = read("a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert rows(table) == {2: ["1", "2"], 5: ["7", "8"]}
    assert [problem.row for problem in table.problems] == [3, 4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_each_encoding_is_read_as_declared_or_marked(
    read: Read, encoding: str, tmp_path: Path
) -> None:
    content = "name,b\nJosé,2\n".encode(encoding)
    declared = "" if encoding.startswith("utf") else encoding
    assert rows(read(content, encoding=declared)) == {2: ["José", "2"]}
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(content))
    form = TableForm(encoding=declared)
    assert rows(read_text_table(packed, "t.csv.gz", form)) == {2: ["José", "2"]}


@given(
    cells=st.lists(
        st.lists(st.text("ab 1,;\"\n'é", max_size=5), min_size=2, max_size=2), max_size=6
    ),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    trailing=st.booleans(),
)
@example(cells=[["", "\n;;"]], separator=";", trailing=True)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_in_its_place(
    read: Read, cells: list[list[str]], separator: str, trailing: bool
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b"], *([*row, ""] if trailing else row for row in cells)])
    filled = {n: row for n, row in enumerate(cells, start=2) if any(cell.strip() for cell in row)}
    expected = {n: [cell.strip() for cell in row] for n, row in filled.items()}
    assert rows(read(stream.getvalue(), separator=separator)) == expected


@pytest.mark.parametrize(
    ("cell", "form", "number"),
    [
        ("12", {}, 12), ("-1.5", {}, -1.5), ("+2", {}, 2), ("1e3", {}, 1000), (".5", {}, 0.5),
        ("12,5", {"decimal": ","}, 12.5), ("1.234,5", {"decimal": ",", "thousands": "."}, 1234.5),
        ("1,234,567", {"thousands": ","}, 1234567), ("1'234", {"thousands": "'"}, 1234),
        ("12,5", {}, None), ("1,234", {}, None), ("12,34", {"thousands": ","}, None),
        ("1.5", {"decimal": ","}, None), ("True", {}, None), ("0x10", {}, None),
        ("1_000", {}, None), ("inf", {}, None), ("1e999", {}, None), ("12 m", {}, None),
        ("\uff11\uff12", {}, None), ("1 234", {}, None),
    ],
)  # fmt: skip
def test_a_number_is_read_as_declared_and_nothing_else_is_one(
    cell: str, form: dict[str, str], number: float | None
) -> None:
    read = read_numbers(pd.Series([cell, "7"]), TableForm.model_validate(form))
    assert read.value_N[1] == 7
    assert bool(read.bad_N[0]) == (number is None)
    assert np.isnan(read.value_N[0]) if number is None else read.value_N[0] == number


@pytest.mark.parametrize("declared", [999, "999", "999.0"])
def test_declared_codes_are_missing_however_they_are_written(declared: object) -> None:
    form = TableForm.model_validate({"missing": [declared, "k.A."]})
    read = read_numbers(pd.Series(["999", "999.0", "K.a.", "NA", "5", ""]), form)
    np.testing.assert_array_equal(read.value_N, [np.nan] * 4 + [5, np.nan])
    assert read.undeclared_N.tolist() == [False, False, False, True, False, False]
    assert not read.bad_N.any()
    assert np.isnan(read_numbers(pd.Series([999.0]), form).value_N[0])


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1))
@settings(deadline=None)
def test_plain_and_declared_numbers_are_the_same_numbers(values: list[float]) -> None:
    cells = pd.Series([repr(value) for value in values])
    plain = read_numbers(cells)
    comma = read_numbers(cells.str.replace(".", ","), TableForm(decimal=","))
    np.testing.assert_array_equal(plain.value_N, values)
    np.testing.assert_array_equal(comma.value_N, values)


def test_a_parquet_table_keeps_identifiers_whole(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"id": pd.array([1, None, 3], dtype="Int64"), "site": pd.Categorical(["a", "b", "a"])}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", "t.parquet")
    assert table.cells["id"].tolist() == [1, None, 3]
    assert table.cells["site"].tolist() == ["a", "b", "a"]
    assert table.cells.index.tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    "form", [{"date_format": "DD.MM"}, {"encoding": "latin-99"}, {"separator": "x"}]
)
def test_an_impossible_form_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(form))):
        TableForm.model_validate(form)
