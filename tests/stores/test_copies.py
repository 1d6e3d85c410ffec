"""A copy is consistent however many write; nothing that exists is ever overwritten."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from contracts.errors import ContractError, ServiceUnavailable
from stores.copies import (
    copy_database,
    is_copyable,
    place_of,
    require_empty,
    restore_database,
    scratch_database,
)

ROWS = 200


def made(file: Path, journal: str) -> str:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE pair (one INTEGER, other INTEGER, filling TEXT)")
        rows = [(n, n, "x" * 500) for n in range(ROWS)]
        connection.executemany("INSERT INTO pair VALUES (?, ?, ?)", rows)
        connection.commit()
    return f"sqlite:///{file}"


def counted(file: Path) -> tuple[int, int]:
    """Rows, and rows that a transaction left half-done."""
    with closing(sqlite3.connect(file)) as connection:
        return (
            connection.execute("SELECT count(*) FROM pair").fetchone()[0],
            connection.execute("SELECT count(*) FROM pair WHERE one <> other").fetchone()[0],
        )


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_copy_under_load_is_one_consistent_state(tmp_path: Path, journal: str) -> None:
    url = made(tmp_path / "live.db", journal)
    stop = threading.Event()
    written = 0

    def write_on() -> None:
        nonlocal written
        with closing(sqlite3.connect(tmp_path / "live.db", timeout=60)) as connection:
            # Without room in memory, unfinished transactions are in the file as well.
            connection.execute("PRAGMA cache_size = 1")
            while not stop.is_set():
                # Two statements of one transaction: a copy must have both or neither.
                connection.execute("UPDATE pair SET one = one + 1")
                connection.execute("UPDATE pair SET other = other + 1")
                connection.execute("INSERT INTO pair VALUES (0, 0, ?)", ("y" * 500,))
                connection.commit()
                written += 1

    writers = [threading.Thread(target=write_on) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        for number in range(2):
            before = written
            copy = copy_database(url, tmp_path, f"copy-{number}")
            rows, torn = counted(copy)
            assert rows >= ROWS + before
            assert torn == 0
            assert stat.S_IMODE(copy.stat().st_mode) == 0o600
            assert [file.name for file in tmp_path.glob(f"{copy.name}-*")] == []
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert written > 0


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable, match="no database"):
        copy_database(f"sqlite:///{tmp_path / 'absent.db'}", tmp_path, "copy")
    assert not (tmp_path / "absent.db").exists()


def test_what_is_no_database_is_not_copied(tmp_path: Path) -> None:
    file = tmp_path / "text.db"
    file.write_text("no database at all" * 100)
    with pytest.raises(ServiceUnavailable, match=r"text\.db cannot be copied"):
        copy_database(f"sqlite:///{file}", tmp_path, "copy")


@pytest.mark.parametrize("before", [b"", b"somebody's"])
def test_a_file_that_exists_is_never_overwritten(tmp_path: Path, before: bytes) -> None:
    copy = copy_database(made(tmp_path / "live.db", "DELETE"), tmp_path, "copy")
    file = tmp_path / "there.db"
    file.write_bytes(before)
    for refuse in (lambda: require_empty(f"sqlite:///{file}"),
                   lambda: restore_database(copy, f"sqlite:///{file}")):  # fmt: skip
        with pytest.raises(ContractError, match="exists already"):
            refuse()
    assert file.read_bytes() == before


def test_a_restored_database_is_the_copied_one_and_private(tmp_path: Path) -> None:
    copy = copy_database(made(tmp_path / "live.db", "WAL"), tmp_path, "copy")
    restored = tmp_path / "new" / "restored.db"
    restore_database(copy, f"sqlite:///{restored}")
    assert counted(restored) == (ROWS, 0)
    assert stat.S_IMODE(restored.stat().st_mode) == 0o600
    with pytest.raises(ContractError, match="not a copy of a sqlite database"):
        restore_database(copy.rename(tmp_path / "copy.dump"), f"sqlite:///{tmp_path / 'x.db'}")


def test_a_trial_leaves_the_copy_as_it_was(tmp_path: Path) -> None:
    url = made(tmp_path / "live.db", "DELETE")
    copy = copy_database(url, tmp_path, "copy")
    before = copy.read_bytes()
    (tmp_path / "scratch").mkdir()
    with (
        scratch_database(copy, url, tmp_path / "scratch") as trial,
        closing(sqlite3.connect(trial.removeprefix("sqlite:///"))) as connection,
    ):
        connection.execute("DELETE FROM pair")
        connection.commit()
    assert copy.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "copyable"),
    [
        ("sqlite:///x.db", True), ("postgresql://u:secret@h/d", True), ("postgres://u@h/d", True),
        ("postgresql+psycopg://h/d", True), ("http://mlflow:5000", False),
        ("mysql://h/d", False), ("databricks", False), ("", False),
    ],
)  # fmt: skip
def test_what_cannot_be_copied_is_known_before(url: str, copyable: bool) -> None:
    assert is_copyable(url) is copyable


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="in memory"):
        copy_database(url, tmp_path, "copy")


def test_two_ways_to_write_one_place_are_one(tmp_path: Path) -> None:
    assert place_of(f"sqlite:///{tmp_path}/a/../x.db") == place_of(f"sqlite:///{tmp_path}/x.db")
    one, other = "postgresql://u:secret@h/d", "postgresql+psycopg://u:other@h/d"
    assert place_of(one) == place_of(other)
    assert "secret" not in place_of(one)
