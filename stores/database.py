"""Opens, reads and writes an SQL database, SQLite or PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from contracts.errors import ServiceUnavailable
from stores.private_files import make_private_folder, require_private_database
from stores.secret_url import SecretUrl, revealed

T = TypeVar("T")

BUSY_SECONDS = 60
WRITES = "rehabcast_writes"
LOCK = 0x7265_6861
"""Number of PostgreSQL's advisory lock: one writer at a time, as in SQLite."""


CAUSES = (
    ("password authentication failed", "the database refuses the user or password"),
    ("no password supplied", "the database wants a password"),
    ("no pg_hba.conf entry", "the database refuses this user or machine"),
    ("does not exist", "the database, user or table does not exist"),
    ("connection refused", "the database server does not answer"),
    ("could not translate host name", "the database server's name is not known"),
    ("failed to resolve host", "the database server's name is not known"),
    ("timeout", "the database did not answer in time"),
    ("locked", "the database is locked by another process"),
    ("unable to open database file", "the database file cannot be opened"),
    ("not a database", "the file is not an SQLite database"),
    ("readonly", "the database can only be read"),
    ("disk", "the disk is full or fails"),
)
"""What a driver says, in lower case, and what we say: a driver's own words hold hosts and paths."""


def connect(url: str | SecretUrl) -> sa.Engine:
    """Return an engine with the transactions that `reading` and `write` need; creates no tables.

    Raises
    ------
    ServiceUnavailable
        The address is wrong, there is no driver for it, or a folder cannot be created.
    ReadableByOthers
        Others can read the SQLite database, or change its folder.
    """
    try:
        return _engine(_with_driver(revealed(url)))
    except (sa.exc.ArgumentError, ModuleNotFoundError, OSError) as error:
        raise ServiceUnavailable(
            f"the database cannot be opened ({cause_of(error)})",
            "check its address, such as sqlite:///ledger.sqlite or postgresql://host/name",
        ) from None


def cause_of(error: BaseException) -> str:
    """Return why a database failed, in words that hold no address, path, user or value."""
    if isinstance(error, sa.exc.ArgumentError):
        return "its address is not a database's"
    if isinstance(error, ModuleNotFoundError):
        return "there is no driver for it"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    original = getattr(error, "orig", None) or error
    said = str(original).lower()
    known = (words for found, words in CAUSES if found in said)
    return next(known, type(original).__name__)


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction in which everything is read from one consistent state."""
    with _transaction(engine, writes=False) as connection:
        yield connection


def write(engine: sa.Engine, action: Callable[[sa.Connection], T]) -> T:
    """Run an action in one transaction; writers queue at its start, so none reads stale data."""
    with _transaction(engine, writes=True) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        return action(connection)


@contextmanager
def _transaction(engine: sa.Engine, *, writes: bool) -> Iterator[sa.Connection]:
    options: dict[str, Any] = {WRITES: writes}
    if not writes and engine.dialect.name != "sqlite":
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def _with_driver(url: str) -> URL:
    parsed = make_url(url)
    # `postgresql://` alone would select a driver that is not installed.
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername in _PLAIN else parsed


_PLAIN = {"postgresql", "postgres"}


def _engine(url: URL) -> sa.Engine:
    # An error names its statement, but never the values: they are patients'.
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, hide_parameters=True)
    if url.database:
        _make_private(Path(url.database))
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _disable_implicit_begin)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _make_private(database: Path) -> None:
    """Check a database's file, or create it empty: SQLite itself would obey the umask only."""
    make_private_folder(database.parent)
    require_private_database(database)
    with suppress(FileExistsError):
        os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _disable_implicit_begin(connection: Any, _: object) -> None:
    # Python's sqlite3 begins a transaction only before the first write: too late, as two promotions
    # could both have read the old epoch.
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
