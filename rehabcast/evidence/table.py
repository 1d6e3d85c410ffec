"""The monitoring table of a version, signed: an audit can take it as external validation."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from contracts.errors import EvidenceMissing
from contracts.predictions import RELATION, Relation
from rehabcast.auditing.external_validation import PeopleOf, write_signed
from rehabcast.evidence.watched import Watched
from rehabcast.settings import Settings
from serving.state.evidence.counting import head_of, tables_until
from serving.state.store import Store

SERVED = "people served, from the service's record"


def write_table(
    settings: Settings, store: Store, version: Watched, output: Path, now: datetime
) -> int:
    """Write every forecast of a version whose outcome came; return how many rows there are.

    Whoever is in it counts as new to the model: it was trained before the outcome was there.

    Raises
    ------
    EvidenceMissing
        No outcome has come yet.
    """
    table = tables_until(store, version.followed, now.date()).predictions
    if table.empty:
        raise EvidenceMissing(
            f"{version.model_version}: no outcome of a forecast on record is due and has come",
            "run it again when outcomes have come",
        )
    people = PeopleOf(
        name=SERVED, digest=head_of(store), simulated=version.bundle.manifest.simulated
    )
    table = table.assign(**{RELATION: str(Relation.NEW)})
    made = now.isoformat(timespec="seconds")
    write_signed(settings, table, version.bundle, people, output, made)
    return len(table)
