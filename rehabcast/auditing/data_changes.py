"""What changed in the data since those that the version in service was trained on."""

from __future__ import annotations

from contracts.errors import EvidenceMissing, RehabcastError
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from training.data_seen import (
    SEEN_FILE,
    DataChanges,
    NotCompared,
    Seen,
    changes_since,
    unseal_seen,
)
from training.registry.model_versions import fetch, find


def since_champion(
    settings: Settings, model: str, seen: Seen | None, key: bytes | None
) -> DataChanges:
    """Return what changed from the data of a model's version in service to those now seen.

    Where there is none, or nothing of its data was kept, the reason is said instead.
    """
    try:
        champion = open_ledger(settings).champion(model)
    except EvidenceMissing:
        return DataChanges(reason=NotCompared.NONE_IN_SERVICE)
    except RehabcastError:
        return DataChanges(reason=NotCompared.NO_LEDGER)
    since = champion.model_version
    try:
        version = find(settings.store, since)
        sealed = fetch(settings.store, version, SEEN_FILE).read_bytes()
    except EvidenceMissing:
        return DataChanges(since=since, reason=NotCompared.NOT_KEPT)
    except (RehabcastError, OSError):
        return DataChanges(since=since, reason=NotCompared.NO_REGISTRY)
    before = None if key is None else unseal_seen(sealed, key)
    if seen is None or before is None:
        return DataChanges(since=since, reason=NotCompared.OTHER_KEY)
    return changes_since(since, before, seen)
