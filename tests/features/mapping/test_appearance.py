"""Separator and encoding of tables as hospitals write them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import SourceUnreadable
from features.mapping.appearance import look_at, separator_of
from features.mapping.findings import Standing
from tests.refusals import refuses

WORDS = {
    "cp1252": ["Größe", "Übung; täglich", "gêné, très", "señor", "Müller"],
    "cp1254": ["yürüyüş", "şiddetli ağrı", "İstanbul", "çiğ"],
    "mac_roman": ["Größe", "gêné", "señor", "Müller"],
}

SIGNS = ",;\t|"
WORD = st.sampled_from(["walks, with aid", "ok", "a|b", "x; y", '"tired"', "", "Größe", "no"])


@given(
    separator=st.sampled_from(SIGNS),
    decimal=st.sampled_from(".,"),
    rows=st.lists(
        st.tuples(st.integers(0, 66), st.floats(0, 2), WORD, WORD), min_size=3, max_size=30
    ),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_the_separator_is_found_whatever_stands_in_the_cells(
    separator: str, decimal: str, rows: list[tuple[int, float, str, str]], quoting: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["id", "FM", "speed", "note", "rest"])
    for number, (score, speed, *words) in enumerate(rows):
        writer.writerow([f"P-{number}", score, f"{speed:.2f}".replace(".", decimal), *words])
    found = separator_of(text.getvalue(), "a.csv")
    assert separator in [option.value for option in found.options]
    if found.standing is Standing.PROVED:
        assert found.value == separator


@pytest.mark.parametrize("encoding", WORDS)
def test_the_encoding_is_guessed_by_the_letters_of_six_languages(
    tmp_path: Path, encoding: str
) -> None:
    for number, word in enumerate(WORDS[encoding]):
        file = tmp_path / f"{number}.csv"
        text = f'id;"{word}"\n1;2\n'
        file.write_bytes(text.encode(encoding))
        found = look_at(file, file.name)
        assert found.text == text, word
        assert found.encoding is not None
        assert found.encoding.standing is Standing.GUESSED
        (reason,) = found.encoding.options[0].reasons
        assert reason.facts == (word,)


def test_utf_8_and_a_byte_order_mark_need_no_declaration(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        file = tmp_path / f"{encoding}.csv"
        file.write_bytes("id;Größe\n1;2\n".encode(encoding))
        found = look_at(file, file.name)
        assert found.encoding is None
        assert found.separator.value == ";"


BROKEN = {
    "rows above the header": b"Export of 2024-03-04\nWard 3\nid;FM;day\n1;20;3\n2;30;4\n3;1;5\n",
    "a workbook": b"PK\x03\x04rest of it",
    "nothing": b"\n\n",
    "no text": b"id,FM\n1,\x00\x00\x00\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_is_no_table_is_refused_with_the_way_out(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.csv").write_bytes(BROKEN[what])
    with refuses(SourceUnreadable):
        look_at(tmp_path / "a.csv", "a.csv")
