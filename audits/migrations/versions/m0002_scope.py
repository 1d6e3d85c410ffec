"""A pass within scope needs no override, like a pass."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

OVERRIDE = ("approver", "reason", "override_until", "restricted_use")
NAME = "passed_or_overridden"


def upgrade() -> None:
    """Replace the constraint on who may be champion; SQLite copies the table for it."""
    condition = (
        "(outcome IN ('pass', 'pass within scope') AND "
        + " AND ".join(f"{name} IS NULL" for name in OVERRIDE)
        + ") OR (outcome IN ('insufficient evidence', 'needs review') AND "
        + " AND ".join(f"{name} IS NOT NULL" for name in OVERRIDE)
        + ")"
    )
    with op.batch_alter_table("champion") as table:
        table.drop_constraint(NAME, type_="check")
        table.create_check_constraint(NAME, sa.text(condition))
