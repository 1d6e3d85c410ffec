"""Folders that are replaced in one step, by one program at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import ContractError
from stores.folders import exchange, held


def test_two_folders_change_names(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    exchange(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old" / "new").read_text() == "new"
    assert (tmp_path / "new" / "old").read_text() == "old"


def test_what_cannot_be_replaced_stays_and_is_said(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(ContractError, match="cannot be replaced in one step"):
        exchange(tmp_path / "absent", tmp_path / "old")
    assert (tmp_path / "old").is_dir()


def test_a_folder_is_held_once_and_let_go(tmp_path: Path) -> None:
    for _ in range(2):
        with held(tmp_path), pytest.raises(ContractError, match="another import"), held(tmp_path):
            pass
    with pytest.raises(ContractError, match="no folder"), held(tmp_path / "absent"):
        pass
