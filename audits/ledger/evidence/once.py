"""Facts about a champion that the ledger is told once, however often they are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from audits.ledger.identity import Identities
from audits.ledger.records import Champion
from audits.ledger.trail import append, entries_of
from stores.database import write


def append_once(
    engine: sa.Engine,
    champion: Champion,
    kind: str,
    details: Mapping[str, Any],
    same_by: Sequence[str],
    *,
    actor: str,
    now: datetime,
    identities: Identities,
) -> bool:
    """Append an entry about a champion, unless there is one; return whether it is new.

    Parameters
    ----------
    same_by
        Details by which two entries of the kind are of the same fact.
    """

    def action(connection: sa.Connection) -> bool:
        for entry in entries_of(connection, kind=kind, about=champion.model_version):
            earlier = entry.details()
            if all(earlier[name] == details[name] for name in same_by):
                return False
        append(
            connection, kind=kind, about=champion.model_version, actor=actor, now=now,
            details=details, identify=identities.offered(actor),
        )  # fmt: skip
        return True

    return write(engine, action)
