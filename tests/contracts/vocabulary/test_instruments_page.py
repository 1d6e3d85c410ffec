"""The page of instruments says what the files say."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.vocabulary import Kind, shipped
from tests.contracts.vocabulary.instruments_page import page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "instruments.md"


def test_the_page_is_made_from_the_files() -> None:
    made = page()
    if "KEEP_TEXTS" in os.environ:
        PAGE.write_text(made, "utf-8")
    assert PAGE.read_text("utf-8") == made


def test_the_page_has_every_instrument_and_marks_what_is_recalled() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    for entry in shipped().values():
        if entry.kind is Kind.ASSESSMENT:
            (row,) = [line for line in lines if f"<br>`{entry.code}` |" in line]
            assert ("to be confirmed" in row) == bool(entry.confirm)
