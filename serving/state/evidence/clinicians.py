"""How often clinicians decided about alerts, without saying who they are."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

import sqlalchemy as sa

from contracts.naming.names import comparable
from serving.state.entries import Kind
from serving.state.store import Store
from serving.state.tables import entry_table
from stores.database import reading


def decisions_by_clinician(store: Store, first: date, after: date) -> Counter[str]:
    """Return how often each person decided about an alert from a day on and before another.

    Keys are for counting alone.
    """
    entry = entry_table.c
    query = sa.select(entry.tenant, entry.content).where(
        entry.kind == Kind.ALERT.value,
        entry.time >= first.isoformat(),
        entry.time < after.isoformat(),
        entry.content.is_not(None),
    )
    found: Counter[str] = Counter()
    with reading(store.engine) as connection:
        for tenant, content in connection.execute(query):
            found[f"{tenant}\0{comparable(json.loads(content)['person'])}"] += 1
    return found
