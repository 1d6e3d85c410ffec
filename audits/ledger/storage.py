"""Tables of the ledger, and how they are created and brought up to date.

The tables are created by Alembic's migrations in `audits/migrations`; `metadata` here is the result
of the last one, and a test keeps the two in step.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from contracts.errors import ServiceUnavailable
from contracts.naming.formats import OTHER_VERSION
from contracts.verdict import Outcome
from stores.database import Kept, cause_of, connect, open_kept, reading, write
from stores.secret_url import SecretUrl

MIGRATIONS = Path(__file__).parent.with_name("migrations")

metadata = sa.MetaData()

trail_table = sa.Table(
    "trail",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("about", sa.String(250), nullable=False, index=True),
    sa.Column("actor", sa.String(250), nullable=False),
    # Text and not JSON: a database may reformat JSON, and the hash is of these exact characters.
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
)

PASSED_OR_OVERRIDDEN = (
    f"(outcome IN ('{Outcome.PASS}', '{Outcome.WITHIN_SCOPE}') AND approver IS NULL"
    " AND reason IS NULL AND override_until IS NULL AND restricted_use IS NULL)"
    f" OR (outcome IN ('{Outcome.INSUFFICIENT}', '{Outcome.REVIEW}') AND approver IS NOT NULL"
    " AND reason IS NOT NULL AND override_until IS NOT NULL AND restricted_use IS NOT NULL)"
)
TWO_PEOPLE = "lower(ml_owner) <> lower(governance)"

# The gate decides; these constraints keep a caller from bypassing it.
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
"""Changes of the champion not yet sent to the mirror, by the number of their entry."""


KEPT = Kept(
    name="ledger",
    setting="REHABCAST_LEDGER_URL",
    tables=(trail_table.name,),
    made_by="rehabcast audit NAME/N",
)


def open_database(url: str | SecretUrl, *, make: bool = True) -> sa.Engine:
    """Open the ledger's database, and bring its tables up to date.

    Parameters
    ----------
    make
        Whether a ledger that is not there is made.

    Raises
    ------
    EvidenceMissing
        There is none, and none is made.
    ServiceUnavailable
        It cannot be opened: no driver, no permission, no server, not a database, or written by an
        early development version or by a later rehabcast.
    """
    engine = connect(url, make=True) if make else open_kept(url, KEPT)
    try:
        if _revision(engine) != _newest():
            _bring_up_to_date(engine)
    except (sa.exc.DBAPIError, OSError) as error:
        raise ServiceUnavailable(
            f"the ledger cannot be opened: {cause_of(error)}",
            "check REHABCAST_LEDGER_URL, the server and its permissions",
        ) from None
    return engine


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _revision(engine: sa.Engine) -> str | None:
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _bring_up_to_date(engine: sa.Engine) -> None:
    def migrate(connection: sa.Connection) -> None:
        # Read again in the queue of writers: another may have created the tables meanwhile.
        revision = MigrationContext.configure(connection).get_current_revision()
        known = {
            script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()
        }
        if revision is not None and revision not in known:
            raise ServiceUnavailable(
                f"the ledger of REHABCAST_LEDGER_URL has the form {revision!r}, and this version of"
                f" rehabcast reads up to {_newest()!r}",
                OTHER_VERSION,
            )
        if revision is None and sa.inspect(connection).has_table(trail_table.name):
            raise ServiceUnavailable(
                "the ledger of REHABCAST_LEDGER_URL was written by a development version of"
                " rehabcast from before migrations, and cannot be read",
                "move it away (with its mlruns/ folder, which holds its models) or set"
                " REHABCAST_LEDGER_URL to a new one, then train and audit again",
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
