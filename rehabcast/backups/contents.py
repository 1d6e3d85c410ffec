"""The databases of rehabcast, and what must be true of them before and after."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa

from audits.ledger import storage
from audits.ledger.records import LedgerState
from audits.ledger.storage import champion_table
from contracts.bundle import MANIFEST_FILE
from contracts.errors import IntegrityError
from inference.bundle import verify_bundle
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from serving.state import store
from serving.state.store import Store
from serving.state.verification import RecordHead, require_whole, verify
from stores.database import reading
from training import tracking


class Part(StrEnum):
    """A database of rehabcast, in the order in which they are copied."""

    STORE = "store"
    LEDGER = "ledger"
    REGISTRY = "registry"


OPTIONAL = (Part.STORE, Part.REGISTRY)
"""What a home may lack: who governs models keeps no patients, and MLflow may run elsewhere."""


KEPT = {Part.STORE: store.KEPT, Part.LEDGER: storage.KEPT, Part.REGISTRY: tracking.KEPT}


def databases(settings: Settings) -> dict[Part, str]:
    """Return the URL of each part."""
    return {
        Part.STORE: settings.store_url.get_secret_value(),
        Part.LEDGER: settings.ledger_url.get_secret_value(),
        Part.REGISTRY: settings.tracking_uri.get_secret_value(),
    }


def heads_of(settings: Settings, urls: Mapping[Part, str]) -> tuple[LedgerState, RecordHead | None]:
    """Verify both chains, and return their heads; None for a record that is left out.

    Raises
    ------
    IntegrityError
        One of them is broken.
    """
    with closing(open_ledger(settings, urls[Part.LEDGER])) as ledger:
        state = ledger.verify()
    if Part.STORE not in urls:
        return state, None
    with closing(Store(urls[Part.STORE], make=False)) as opened:
        seen = verify(opened)
    require_whole(seen)
    return state, seen.head


def require_bundles(settings: Settings, ledger_url: str, artifacts: Path) -> None:
    """Make sure that each champion's bundle is among the artifacts, byte by byte."""
    with closing(open_ledger(settings, ledger_url)) as ledger:
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
