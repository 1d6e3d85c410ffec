"""The page of shipped tasks says what their files say."""

from __future__ import annotations

import os
from pathlib import Path

from tests.training.tasks_page import files, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "shipped-tasks.md"


def test_the_page_is_made_from_the_files() -> None:
    made = page()
    if "KEEP_TEXTS" in os.environ:
        PAGE.write_text(made, "utf-8")
    assert PAGE.read_text("utf-8") == made


def test_the_page_has_every_task() -> None:
    text = PAGE.read_text("utf-8")
    assert len(files()) > 5
    assert [file.name for file in files() if f"`tasks/{file.name}`" not in text] == []
