"""Which day of a record is today, where somebody who sent values said so."""

from __future__ import annotations

import json
from datetime import date, datetime

import sqlalchemy as sa

from serving.state.entries import Kind
from serving.state.tables import entry_table, of_person
from stores.database import reading

STATED = '"today":'


def stated_today(engine: sa.Engine, tenant: str, subject: str, on: date) -> int | None:
    """Return the day since onset that a date is; None where nobody said which day it was.

    Without it `serving.state.watch.days` knows how many days have passed at the least.
    """
    query = (
        sa.select(entry_table.c.time, entry_table.c.content)
        .where(
            *of_person(entry_table, tenant, subject),
            entry_table.c.kind == Kind.OBSERVATIONS.value,
            entry_table.c.content.contains(STATED, autoescape=True),
        )
        .order_by(entry_table.c.sequence.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    then = datetime.fromisoformat(row.time).date()
    return int(json.loads(row.content)["today"]) + (on - then).days
