"""The first tables of the ledger, and what keeps the trail append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

OVERRIDE = ("approver", "reason", "override_until", "restricted_use")

# The third stops INSERT OR REPLACE, which deletes without asking the second.
SQLITE_GUARDS = {
    "trail_is_not_edited": "BEFORE UPDATE ON trail",
    "trail_is_not_shortened": "BEFORE DELETE ON trail",
    "trail_grows_at_its_end": "BEFORE INSERT ON trail WHEN NEW.sequence IS NOT"
    " (SELECT COALESCE(MAX(sequence), 0) + 1 FROM trail)",
}
POSTGRESQL_GUARD = """
CREATE FUNCTION trail_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.sequence =
        (SELECT COALESCE(MAX(sequence), 0) + 1 FROM trail) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the trail is append-only';
END $$
"""


def upgrade() -> None:
    """Make trail, champion and outbox."""
    op.create_table(
        "trail",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("about", sa.String(250), nullable=False, index=True),
        sa.Column("actor", sa.String(250), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
    )
    op.create_table(
        "champion",
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
        sa.CheckConstraint(
            "(outcome = 'pass' AND "
            + " AND ".join(f"{name} IS NULL" for name in OVERRIDE)
            + ") OR (outcome IN ('insufficient evidence', 'needs review') AND "
            + " AND ".join(f"{name} IS NOT NULL" for name in OVERRIDE)
            + ")",
            name="passed_or_overridden",
        ),
        sa.CheckConstraint("lower(ml_owner) <> lower(governance)", name="two_people"),
    )
    op.create_table(
        "outbox",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("model", sa.String(250), nullable=False),
        sa.Column("sent_at", sa.String(40)),
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, when in SQLITE_GUARDS.items():
            op.execute(
                f"CREATE TRIGGER {name} {when}"
                " BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
            )
    else:
        op.execute(POSTGRESQL_GUARD)
        for name, when, each in (
            ("trail_grows_at_its_end", "INSERT OR UPDATE OR DELETE", "ROW"),
            ("trail_is_not_emptied", "TRUNCATE", "STATEMENT"),
        ):
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {when} ON trail"
                f" FOR EACH {each} EXECUTE FUNCTION trail_guard()"
            )
