"""Opens, reads and writes an SQL database, SQLite or PostgreSQL."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, make_url

from contracts.errors import EvidenceMissing, ServiceUnavailable
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept in a database, as messages name it.

    Parameters
    ----------
    name, setting
        What it is, and the environment variable with its address.
    tables
        Tables of it, or of an earlier form: a database without any is another's, or empty.
    made_by
        Command that makes one.
    """

    name: str
    setting: str
    tables: tuple[str, ...]
    made_by: str

    def missing(self, url: str | SecretUrl) -> EvidenceMissing:
        """Return the error that there is none at an address."""
        file = sqlite_file(url)
        place = f"the database of {self.setting}" if file is None else f"{file} ({Path.cwd()})"
        if file is not None and file.is_absolute():
            place = str(file)
        return EvidenceMissing(
            f"there is no {self.name} in {place}",
            f"set REHABCAST_HOME to the home that has it ({self.setting} where it is elsewhere), or"
            f" make one with `{self.made_by}`",
        )


def open_kept(url: str | SecretUrl, kept: Kept) -> sa.Engine:
    """Connect to a database that must be there with what is kept in it; makes nothing.

    Raises
    ------
    EvidenceMissing
        There is none.
    ServiceUnavailable, ReadableByOthers
        As `connect`, or it cannot be read.
    """
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise kept.missing(url)
    engine = connect(url)
    try:
        with reading(engine) as connection:
            is_there = any(map(sa.inspect(connection).has_table, kept.tables))
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise ServiceUnavailable(
            f"the {kept.name} cannot be opened: {cause_of(error)}",
            f"check {kept.setting}, the server and its permissions",
        ) from None
    if not is_there:
        engine.dispose()
        raise kept.missing(url)
    return engine


def sqlite_file(url: str | SecretUrl) -> Path | None:
    """Return the file of an SQLite database; None for another address."""
    try:
        parsed = make_url(revealed(url))
    except sa.exc.ArgumentError:
        return None
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(str(parsed.database)) if is_file else None


def connect(url: str | SecretUrl, *, make: bool = False) -> sa.Engine:
    """Return an engine with the transactions that `reading` and `write` need; creates no tables.

    Parameters
    ----------
    make
        Whether an SQLite database that is not there is made.

    Raises
    ------
    ServiceUnavailable
        The address is wrong, there is no driver for it, or a folder cannot be created.
    ReadableByOthers
        Others can read the SQLite database, or change its folder.
    """
    try:
        return _engine(_with_driver(revealed(url)), make=make)
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


def is_broken(error: sa.exc.DBAPIError) -> bool:
    """Return whether SQLite says that its file is broken, or none of its own."""
    # The lower byte of a code is its kind. A server's errors have no such code.
    kind = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    return kind in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_no_text(error: sa.exc.DBAPIError) -> bool:
    """Return whether what SQLite gave as text is none: Python says so, and SQLite has no error."""
    orig = error.orig
    return isinstance(orig, sqlite3.OperationalError) and not hasattr(orig, "sqlite_errorcode")


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


def among(
    connection: sa.Connection, column: sa.ColumnElement[T], values: Sequence[T]
) -> sa.ColumnElement[bool]:
    """Return the condition that a column is one of some values, all of them in one parameter.

    With a parameter for each, making the statement takes longer than the query. A query for them
    in their place is planned by what PostgreSQL knows of the tables, which is nothing of rows that
    have just come: for the people of a week it then read everybody for each.
    """
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(values), postgresql.ARRAY(column.type)))
    listed = sa.func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(sa.select(listed.c.value))


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


def _engine(url: URL, *, make: bool) -> sa.Engine:
    # An error names its statement, but never the values: they are patients'.
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, hide_parameters=True)
    if not url.database:
        raise sa.exc.ArgumentError
    file = Path(url.database).absolute()
    if make:
        make_private_folder(file.parent)
    require_private_database(file)
    if make:
        # SQLite itself would obey the umask only.
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    # For writing, but never made: SQLite would make an empty database of a file that was moved.
    address = f"{file.as_uri()}?mode=rw"

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)

    engine = sa.create_engine(url, hide_parameters=True, creator=opened)
    sa.event.listen(engine, "connect", _disable_implicit_begin)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _disable_implicit_begin(connection: Any, _: object) -> None:
    # Python's sqlite3 begins a transaction only before the first write: too late, as two promotions
    # could both have read the old epoch.
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
