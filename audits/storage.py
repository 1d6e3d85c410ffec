"""Tables of the ledger, and how they are opened, read and written in SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from contracts.errors import ServiceUnavailable
from contracts.verdict import Outcome

T = TypeVar("T")

ATTEMPTS = 5
BUSY_SECONDS = 30
WRITES = "rehabcast_writes"

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

# The gate decides; these constraints keep a caller from walking around it.
champion_table = sa.Table(
    "champion",
    metadata,
    sa.Column("model", sa.String(250), primary_key=True),
    sa.Column("version", sa.String(40), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("bundle_digest", sa.String(64), nullable=False),
    sa.Column("report_digest", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(40), nullable=False),
    sa.Column("approver", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("promoted_at", sa.String(40), nullable=False),
    sa.Column("valid_until", sa.String(40), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.CheckConstraint(
        f"(outcome = '{Outcome.PASS}' AND approver IS NULL AND reason IS NULL)"
        f" OR (outcome = '{Outcome.INSUFFICIENT}' AND approver IS NOT NULL AND reason IS NOT NULL)",
        name="passed_or_overridden",
    ),
)

# The third stops INSERT OR REPLACE, which deletes without asking the second.
_GUARDS = {
    "trail_is_not_edited": "BEFORE UPDATE ON trail",
    "trail_is_not_shortened": "BEFORE DELETE ON trail",
    "trail_grows_at_its_end": "BEFORE INSERT ON trail WHEN NEW.sequence IS NOT"
    " (SELECT COALESCE(MAX(sequence), 0) + 1 FROM trail)",
}
for _name, _when in _GUARDS.items():
    _guard = sa.DDL(  # type: ignore[no-untyped-call]
        f"CREATE TRIGGER {_name} {_when} BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
    )
    sa.event.listen(trail_table, "after_create", _guard.execute_if(dialect="sqlite"))


def open_database(url: str) -> sa.Engine:
    """Open the ledger's database, and make its tables where there are none.

    Raises
    ------
    ServiceUnavailable
        It cannot be opened: no driver, no permission, no server, or not a database.
    """
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        engine = _engine(url)
        if not sa.inspect(engine).has_table(champion_table.name):
            with _transaction(engine, writes=True) as connection:
                metadata.create_all(connection)
    except (sa.exc.DBAPIError, ModuleNotFoundError, OSError) as error:
        why = getattr(error, "orig", None) or error
        raise ServiceUnavailable(f"the ledger {shown} cannot be opened: {why}") from error
    return engine


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction in which all that is read belongs together."""
    with _transaction(engine, writes=False) as connection:
        yield connection


def write(engine: sa.Engine, action: Callable[[sa.Connection], T]) -> T:
    """Run an action in one transaction, again when another writer took its place in the trail.

    In SQLite writers queue from the start; in PostgreSQL two may want the same sequence number,
    and the second sees it as a broken uniqueness.
    """
    for attempt in range(ATTEMPTS):
        try:
            with _transaction(engine, writes=True) as connection:
                return action(connection)
        except sa.exc.IntegrityError:
            if engine.dialect.name == "sqlite" or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


@contextmanager
def _transaction(engine: sa.Engine, *, writes: bool) -> Iterator[sa.Connection]:
    options: dict[str, Any] = {WRITES: writes}
    if not writes and engine.dialect.name != "sqlite":
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def _engine(url: str) -> sa.Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
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
