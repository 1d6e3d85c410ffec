"""What is made is its owner's alone whatever the umask; what others can read is refused."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from stores.database import connect, write
from stores.private_files import (
    ReadableByOthers,
    keep_private,
    require_private,
    require_private_database,
    require_unchanged_by_others,
    write_private,
)


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_files_and_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "key.pem"
    write_private(file, b"one")
    write_private(file, "two")
    assert file.read_text() == "two"
    assert [mode(path) for path in (file, file.parent, file.parent.parent)] == [0o600, 0o700, 0o700]
    assert list(file.parent.iterdir()) == [file]
    with pytest.raises(IsADirectoryError):
        write_private(file.parent, b"x")
    assert not list(file.parent.parent.glob(".*"))
    keep_private()
    (tmp_path / "later").write_text("x")
    assert mode(tmp_path / "later") == 0o600


def test_a_database_and_what_sqlite_keeps_beside_it_are_private(tmp_path: Path) -> None:
    database = tmp_path / "folder" / "x.db"
    engine = connect(f"sqlite:///{database}", make=True)
    raw = engine.raw_connection()
    raw.cursor().execute("PRAGMA journal_mode = WAL")
    raw.close()
    write(engine, lambda connection: connection.execute(sa.text("CREATE TABLE t (a)")))
    made = sorted(path.name for path in database.parent.iterdir())
    assert made == ["x.db", "x.db-shm", "x.db-wal"]
    assert {mode(path) for path in database.parent.iterdir()} == {0o600}
    assert mode(database.parent) == 0o700
    engine.dispose()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o601, 0o666, 0o644])
@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_a_database_that_others_can_read_is_refused_and_says_what_mends_it(
    tmp_path: Path, bits: int, ending: str
) -> None:
    database = tmp_path / "x.db"
    with closing(sqlite3.connect(database)) as made:
        made.execute("CREATE TABLE t (a)")
    file = tmp_path / f"x.db{ending}"
    file.touch()
    database.chmod(0o600)
    file.chmod(bits)
    with pytest.raises(ReadableByOthers) as refusal:
        connect(f"sqlite:///{database}")
    assert f"{file.name} can be read or changed" in refusal.value.reason
    assert f"mode {bits:04o}" in refusal.value.reason
    assert f"chmod go-rwx {file.name}" in refusal.value.what_to_do
    os.chmod(file, bits & 0o700)  # what the advice does  # noqa: PTH101
    require_private_database(database)


@pytest.mark.parametrize("bits", [0o770, 0o702, 0o777])
def test_a_folder_in_which_others_can_replace_files_is_refused(tmp_path: Path, bits: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    file = folder / "key.pem"
    write_private(file, b"x")
    folder.chmod(bits)
    for check in (require_private, require_unchanged_by_others):
        with pytest.raises(ReadableByOthers, match=f"folder can be changed .* {bits:04o}"):
            check(file)
    folder.chmod(0o755)
    require_private(file)


def test_a_public_file_may_be_read_but_not_changed_by_others(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("{}")
    file.chmod(0o644)
    require_unchanged_by_others(file)
    for bits in (0o664, 0o646, 0o666):
        file.chmod(bits)
        with pytest.raises(ReadableByOthers, match="can be changed"):
            require_unchanged_by_others(file)
