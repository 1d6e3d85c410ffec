"""Whole copies of a database: taken while it is written to, and put back where nothing is yet.

SQLite is copied by its online backup, which sees one consistent state however many others write;
copying the file, or `.backup` in a shell that does not wait for a lock, does not. PostgreSQL is
copied by `pg_dump`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from contracts.errors import ContractError, IntegrityError, ServiceUnavailable
from stores.database import BUSY_SECONDS, cause_of
from stores.postgresql import SERVICE, administer, run, server
from stores.secret_url import sqlite_url

SQLITE, POSTGRESQL = "sqlite", "postgresql"
RETRY_SECONDS = 0.001
ENDINGS = {SQLITE: ".db", POSTGRESQL: ".dump"}
"""How the name of a copy ends, by the kind of database."""


def place_of(url: str) -> str:
    """Return where a database is, without any password: two URLs of one database have one place."""
    parsed = _parsed(url)
    if _kind(parsed) == SQLITE:
        return str(_sqlite_file(parsed).resolve())
    return parsed.set(drivername=POSTGRESQL).render_as_string(hide_password=True)


def is_copyable(url: str) -> bool:
    """Say whether a database of this kind can be copied here; not so one behind another server."""
    try:
        return _kind(_parsed(url)) in ENDINGS
    except (ServiceUnavailable, ContractError):
        return False


def copy_database(url: str, folder: Path, name: str) -> Path:
    """Copy a database into a folder while others go on writing; return the copy.

    Raises
    ------
    ServiceUnavailable
        There is no such database, or the program that copies it is missing, of another version, or
        fails.
    IntegrityError
        The copy is not sound.
    """
    parsed = _parsed(url)
    kind = _kind(parsed)
    copy = folder / (name + ENDINGS[kind])
    copy.touch(mode=0o600)
    if kind == SQLITE:
        _copy_sqlite(_sqlite_file(parsed), copy)
    else:
        # Revoked rights are repeated where it is restored: its roles may have other names there.
        arguments = ["--format=custom", "--no-owner", "--no-privileges", f"--file={copy}"]
        run("pg_dump", arguments, parsed)
    return copy


def restore_database(copy: Path, url: str) -> None:
    """Put a copy back as a new database; nothing that exists is ever changed.

    Raises
    ------
    ContractError
        There is a database already, or it is of another kind than the copy.
    ServiceUnavailable
        The server or its program cannot be used.
    """
    require_empty(url)
    parsed = _parsed(url)
    kind = _kind(parsed)
    if copy.suffix != ENDINGS[kind]:
        raise ContractError(
            f"{copy.name} is not a copy of a {kind} database",
            "set the URL of a database of its kind",
        )
    if kind == POSTGRESQL:
        arguments = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
        run("pg_restore", [*arguments, f"--dbname=service={SERVICE}", str(copy)], parsed)
        return
    file = _sqlite_file(parsed)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with copy.open("rb") as source, os.fdopen(_created(file), "wb") as target:
        shutil.copyfileobj(source, target)


def require_empty(url: str) -> None:
    """Make sure that nothing would be overwritten at a URL.

    Raises
    ------
    ContractError
        There is a file, or a database that is not empty.
    """
    parsed = _parsed(url)
    if _kind(parsed) == SQLITE:
        if (file := _sqlite_file(parsed)).exists():
            raise ContractError(f"{file} exists already", "move it away, or set another place")
        return
    with server(parsed) as engine:
        inspector = sa.inspect(engine)
        if any(inspector.get_table_names(schema) for schema in inspector.get_schema_names()
               if schema != "information_schema"):  # fmt: skip
            raise ContractError(
                "the database is not empty",
                "create a new one, and set its URL",
            )


@contextmanager
def scratch_database(copy: Path, url: str, folder: Path) -> Iterator[str]:
    """Restore a copy into a place of its own, yield that URL, and remove it again.

    Parameters
    ----------
    url
        The database that was copied: a PostgreSQL server holds the trial as another database.
    folder
        Where the trial of an SQLite database is put.

    Raises
    ------
    ServiceUnavailable
        The role may not create a database.
    """
    parsed = _parsed(url)
    if _kind(parsed) == SQLITE:
        trial = sqlite_url((folder / copy.name).resolve())
        restore_database(copy, trial)
        yield trial
        return
    name = f"rehabcast_trial_{secrets.token_hex(6)}"
    with server(parsed) as engine:
        administer(engine, f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            trial = parsed.set(database=name).render_as_string(hide_password=False)
            restore_database(copy, trial)
            yield trial
        finally:
            administer(engine, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except sa.exc.ArgumentError as error:
        raise ServiceUnavailable(
            "the address of a database cannot be read", "check its URL, such as sqlite:///file.db"
        ) from error


def _kind(url: URL) -> str:
    name = url.get_backend_name()
    kind = POSTGRESQL if name == "postgres" else name
    if kind not in ENDINGS:
        raise ContractError(
            f"a {kind} database cannot be copied by rehabcast", "copy it with its own programs"
        )
    return kind


def _sqlite_file(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise ContractError("a database in memory cannot be copied", "set the URL of a file")
    return Path(url.database)


def _created(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ContractError(f"{file} exists already", "move it away") from error


def _copy_sqlite(file: Path, copy: Path) -> None:
    if not file.is_file():
        raise ServiceUnavailable(f"there is no database {file}", "check its URL")
    deadline = time.monotonic() + BUSY_SECONDS

    def give_up_late(*_: int) -> None:
        # The backup tries again by itself, and would for ever.
        if time.monotonic() > deadline:
            raise ServiceUnavailable(
                f"{file.name} was locked for {BUSY_SECONDS} s", "find out who keeps it locked"
            )

    try:
        # For writing, but never made: who reads a write-ahead log has to write its index.
        address = f"{file.resolve().as_uri()}?mode=rw"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=0)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            # All pages in one step: of several, each would begin anew after somebody's write. Tried
            # often, since SQLite's own waiting sleeps through every gap that busy writers leave.
            source.backup(target, pages=-1, progress=give_up_late, sleep=RETRY_SECONDS)
            target.execute("PRAGMA journal_mode = DELETE")
            found = target.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        raise ServiceUnavailable(
            f"{file.name} cannot be copied ({cause_of(error)})",
            "check the file and its permissions",
        ) from error
    if found != "ok":
        raise IntegrityError(
            f"the copy of {file.name} is not sound ({found})",
            "check the database itself: PRAGMA integrity_check",
        )
