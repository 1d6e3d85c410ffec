"""Tables of the ledger, and how they are opened, read and written in SQLite and PostgreSQL.

The tables are made by Alembic's migrations in `audits/migrations`; `metadata` here is what the
last of them leaves, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, make_url

from contracts.errors import ServiceUnavailable
from contracts.verdict import Outcome

T = TypeVar("T")

BUSY_SECONDS = 60
WRITES = "rehabcast_writes"
LOCK = 0x7265_6861
"""Number of PostgreSQL's advisory lock: one writer at a time, as in SQLite."""

MIGRATIONS = Path(__file__).with_name("migrations")

metadata = sa.MetaData()

trail_table = sa.Table(
    "trail",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("about", sa.String(250), nullable=False, index=True),
    sa.Column("actor", sa.String(250), nullable=False),
    # Text and not JSON: a database may write JSON anew, and the hash is of these very characters.
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
)

PASSED_OR_OVERRIDDEN = (
    f"(outcome = '{Outcome.PASS}' AND approver IS NULL AND reason IS NULL"
    " AND override_until IS NULL AND restricted_use IS NULL)"
    f" OR (outcome IN ('{Outcome.INSUFFICIENT}', '{Outcome.REVIEW}') AND approver IS NOT NULL"
    " AND reason IS NOT NULL AND override_until IS NOT NULL AND restricted_use IS NOT NULL)"
)
TWO_PEOPLE = "lower(ml_owner) <> lower(governance)"

# The gate decides; these constraints keep a caller from walking around it.
champion_table = sa.Table(
    "champion",
    metadata,
    sa.Column("model", sa.String(250), primary_key=True),
    sa.Column("version", sa.String(40), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("bundle_digest", sa.String(64), nullable=False),
    sa.Column("report_digest", sa.String(64), nullable=False),
    sa.Column("policy_digest", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(40), nullable=False),
    sa.Column("ml_owner", sa.String(250), nullable=False),
    sa.Column("governance", sa.String(250), nullable=False),
    sa.Column("approver", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("override_until", sa.String(40)),
    sa.Column("restricted_use", sa.Text),
    sa.Column("promoted_at", sa.String(40), nullable=False),
    sa.Column("valid_until", sa.String(40), nullable=False),
    sa.Column("revoked", sa.Text),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.CheckConstraint(PASSED_OR_OVERRIDDEN, name="passed_or_overridden"),
    sa.CheckConstraint(TWO_PEOPLE, name="two_people"),
)

outbox_table = sa.Table(
    "outbox",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("model", sa.String(250), nullable=False),
    sa.Column("sent_at", sa.String(40)),
)
"""Moves that the mirror has still to be told of, by their place in the trail."""


def open_database(url: str) -> sa.Engine:
    """Open the ledger's database, and bring its tables up to date.

    Raises
    ------
    ServiceUnavailable
        It cannot be opened: no driver, no permission, no server, not a database, or one of an
        earlier development version or that a later rehabcast has changed.
    """
    parsed = _with_driver(url)
    shown = parsed.render_as_string(hide_password=True)
    try:
        engine = _engine(parsed)
        if _revision(engine) != _newest():
            _bring_up_to_date(engine, shown)
    except (sa.exc.DBAPIError, ModuleNotFoundError, OSError) as error:
        why = getattr(error, "orig", None) or error
        raise ServiceUnavailable(f"the ledger {shown} cannot be opened: {why}") from error
    return engine


def connect(url: str) -> sa.Engine:
    """Return an engine whose transactions are as `reading` and `write` need them; makes no table.

    Raises
    ------
    ServiceUnavailable
        There is no driver for such a database.
    """
    try:
        return _engine(_with_driver(url))
    except (sa.exc.ArgumentError, ModuleNotFoundError, OSError) as error:
        raise ServiceUnavailable(f"the database cannot be opened: {error}") from error


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction in which all that is read belongs together."""
    with _transaction(engine, writes=False) as connection:
        yield connection


def write(engine: sa.Engine, action: Callable[[sa.Connection], T]) -> T:
    """Run an action in one transaction; writers queue from its start, so that none reads old."""
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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _revision(engine: sa.Engine) -> str | None:
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _bring_up_to_date(engine: sa.Engine, shown: str) -> None:
    def migrate(connection: sa.Connection) -> None:
        # Asked again in the queue of writers: another may have made the tables meanwhile.
        revision = MigrationContext.configure(connection).get_current_revision()
        if revision is None and sa.inspect(connection).has_table(trail_table.name):
            raise ServiceUnavailable(
                f"the ledger {shown} was written by a development version of rehabcast from before"
                " migrations, and cannot be read: move it away (with its mlruns/ folder, whose"
                " models stand in it) or set REHABCAST_LEDGER_URL to a new one, then train and"
                " audit again"
            )
        _migrate(connection)

    try:
        write(engine, migrate)
    except ServiceUnavailable:
        engine.dispose()
        raise


def _migrate(connection: sa.Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _with_driver(url: str) -> URL:
    parsed = make_url(url)
    # `postgresql://` alone would ask for a driver that is not installed.
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername in _PLAIN else parsed


_PLAIN = {"postgresql", "postgres"}


def _engine(url: URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url)
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _leave_transactions_to_us)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _leave_transactions_to_us(connection: Any, _: object) -> None:
    # Python's sqlite3 begins a transaction only before the first write: too late, two promoters
    # would both have read the old epoch.
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
