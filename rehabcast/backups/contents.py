"""The databases of rehabcast, and what must be true of them before and after."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa

from audits.ledger.ledger import Ledger
from audits.ledger.records import LedgerState
from audits.ledger.storage import champion_table
from contracts.bundle import MANIFEST_FILE
from contracts.errors import IntegrityError
from inference.bundle import verify_bundle
from rehabcast.backups.manifest import ForecastHead
from rehabcast.settings import Settings
from serving.state.forecast_log import verify_chain
from serving.state.store import Store
from serving.state.tables import forecast_table
from stores.database import reading


class Part(StrEnum):
    """A database of rehabcast, in the order in which they are copied."""

    STORE = "store"
    LEDGER = "ledger"
    REGISTRY = "registry"


OPTIONAL = (Part.STORE, Part.REGISTRY)
"""What a home may lack: who governs models keeps no patients, and MLflow may run elsewhere."""


def databases(settings: Settings) -> dict[Part, str]:
    """Return the URL of each part."""
    return {
        Part.STORE: settings.store_url,
        Part.LEDGER: settings.ledger_url,
        Part.REGISTRY: settings.tracking_uri,
    }


def heads_of(urls: Mapping[Part, str]) -> tuple[LedgerState, ForecastHead | None]:
    """Verify both chains, and return their heads; None for a forecast log that is not there.

    Raises
    ------
    IntegrityError
        One of them is broken.
    """
    with closing(Ledger(urls[Part.LEDGER])) as ledger:
        state = ledger.verify()
    if Part.STORE not in urls:
        return state, None
    with closing(Store(urls[Part.STORE])) as store:
        length = verify_chain(store)
        with reading(store.engine) as connection:
            last = sa.select(forecast_table.c.hash).order_by(forecast_table.c.sequence.desc())
            head = connection.execute(last.limit(1)).scalar_one_or_none()
    return state, ForecastHead(length=length, head=head or "")


def require_bundles(ledger_url: str, artifacts: Path) -> None:
    """Make sure that each champion's bundle is among the artifacts, byte by byte."""
    with closing(Ledger(ledger_url)) as ledger:
        with reading(ledger.engine) as connection:
            models = list(connection.execute(sa.select(champion_table.c.model)).scalars())
        champions = [ledger.champion(model) for model in models]
    found = set()
    for bundle in sorted(artifacts.rglob(MANIFEST_FILE)):
        try:
            found.add(verify_bundle(bundle.parent))
        except IntegrityError:
            # Of an unfinished training, or no longer whole: it only matters if it is a champion's.
            continue
    for champion in champions:
        if champion.revoked is None and champion.bundle_digest not in found:
            raise IntegrityError(
                f"the bundle of {champion.model_version} is not among the artifacts, or not as it"
                " was promoted",
                "restore it there; if MLflow keeps artifacts elsewhere, back them up there and say"
                f" --without {Part.REGISTRY}",
            )
