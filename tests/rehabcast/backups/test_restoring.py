"""A backup that was changed is not restored, and nothing that exists is overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ContractError, EvidenceMissing, IntegrityError
from rehabcast.backups.making import make_backup
from rehabcast.backups.restoring import restore_backup
from rehabcast.settings import Settings

# MLflow itself uses deprecated interfaces.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def backup(filled: Any, tmp_path: Path) -> Path:
    make_backup(Settings(), tmp_path / "backup", without=(), with_signing_key=False)
    return tmp_path / "backup"


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def test_any_file_changed_missing_or_added_is_found_before_anything_is_restored(
    backup: Path, new_home: Callable[[str], Any]
) -> None:
    home = new_home("elsewhere")
    for file in sorted(path for path in backup.rglob("*") if path.is_file()):
        content = file.read_bytes()
        if file != backup / "manifest.json":
            flip(file)
            with pytest.raises(IntegrityError, match="was changed"):
                restore_backup(Settings(), backup)
        file.unlink()
        with pytest.raises((IntegrityError, EvidenceMissing)):
            restore_backup(Settings(), backup)
        file.write_bytes(content)
    (backup / "added").write_text("x")
    with pytest.raises(IntegrityError, match="added"):
        restore_backup(Settings(), backup)
    assert not home.folder.exists()


def test_a_head_that_was_edited_in_the_manifest_is_found(
    backup: Path, new_home: Callable[[str], Any]
) -> None:
    new_home("elsewhere")
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["ledger"]["length"] += 1
    (backup / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(IntegrityError, match="not what was backed up"):
        restore_backup(Settings(), backup)


@pytest.mark.parametrize("there", ["artifacts/x", "keys/trusted/x.pem", "service-spool/x"])
def test_a_home_with_anything_in_it_is_left_as_it_was(
    backup: Path, new_home: Callable[[str], Any], there: str
) -> None:
    home = new_home("elsewhere")
    (home.folder / there).parent.mkdir(parents=True)
    (home.folder / there).write_text("mine")
    with pytest.raises(ContractError, match="is not empty"):
        restore_backup(Settings(), backup)
    assert [str(f.relative_to(home.folder)) for f in home.folder.rglob("*") if f.is_file()] == [
        there
    ]


def test_a_folder_that_is_no_backup_is_refused(
    tmp_path: Path, new_home: Callable[[str], Any]
) -> None:
    new_home("elsewhere")
    with pytest.raises(EvidenceMissing, match="is not a backup"):
        restore_backup(Settings(), tmp_path)
