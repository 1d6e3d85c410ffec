"""Opens, reads and writes an SQL database, SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from contracts.errors import ServiceUnavailable

T = TypeVar("T")

BUSY_SECONDS = 60
WRITES = "rehabcast_writes"
LOCK = 0x7265_6861
"""Number of PostgreSQL's advisory lock: one writer at a time, as in SQLite."""


def connect(url: str) -> sa.Engine:
    """Return an engine with the transactions that `reading` and `write` need; creates no tables.

    Raises
    ------
    ServiceUnavailable
        The address is wrong, there is no driver for it, or a folder cannot be created.
    """
    try:
        return _engine(_with_driver(url))
    except (sa.exc.ArgumentError, ModuleNotFoundError, OSError) as error:
        raise ServiceUnavailable(
            f"the database cannot be opened ({error})",
            "check its address, such as sqlite:///ledger.sqlite or postgresql://host/name",
        ) from error


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
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url)
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
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
