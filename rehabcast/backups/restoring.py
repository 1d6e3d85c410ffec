"""Puts a backup back where nothing is yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contracts.errors import ContractError, IntegrityError
from rehabcast.auditing.overlap import people_key_file
from rehabcast.backups.contents import Part, databases, heads_of
from rehabcast.backups.manifest import (
    ARTIFACTS,
    KEYS,
    PEOPLE,
    PEOPLE_KEY,
    PRIVATE_KEY,
    SPOOL,
    Manifest,
    copy_file,
    copy_folder,
    read_manifest,
)
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import LOCAL_KEY
from stores.copies import place_of, require_empty, restore_database
from stores.database import connect
from training.artifact_places import move_artifacts

NEW_HOME = (
    "set REHABCAST_HOME to a new, empty folder (and REHABCAST_LEDGER_URL, REHABCAST_STORE_URL and"
    " REHABCAST_TRACKING_URI, where they are set, to new databases); leave what is here as it is"
)
"""Moving a home away for a restore would take the ledger from under a service that runs."""


def restore_backup(settings: Settings, folder: Path) -> Manifest:
    """Put a backup back into a home that has nothing yet, and verify both chains there.

    Raises
    ------
    ContractError
        Something is there already: nothing is ever overwritten.
    IntegrityError
        A file of the backup is missing, changed or not in its manifest, or a chain is broken or not
        the one that was backed up.
    """
    manifest = read_manifest(folder)
    urls = {Part(part): databases(settings)[Part(part)] for part in manifest.databases}
    copies = _by_place(manifest, urls)
    folders, keys = _folders(settings), _keys(settings)
    for target in folders.values():
        if target.is_dir() and any(target.iterdir()):
            raise ContractError(f"{target} is not empty", NEW_HOME)
    for name, key in keys.items():
        if (folder / name).is_file() and key.exists():
            raise ContractError(f"{key} exists already", NEW_HOME)
    for url, _ in copies.values():
        try:
            require_empty(url)
        except ContractError as error:
            raise ContractError(error.reason, NEW_HOME) from None
    for url, name in copies.values():
        restore_database(folder / name, url)
    _put_back(folder, folders, keys)
    if Part.REGISTRY in urls:
        _move_artifacts(urls[Part.REGISTRY], manifest.artifacts_at, settings.store.artifacts)
    found = heads_of(settings, urls)
    if found != (manifest.ledger, manifest.record):
        raise IntegrityError(
            "what was restored is not what was backed up", "use another backup, and find out why"
        )
    return manifest


def _folders(settings: Settings) -> dict[str, Path]:
    """Return where each folder of a backup belongs."""
    return {
        ARTIFACTS: settings.store.artifacts,
        KEYS: settings.trusted_keys or settings.home / "keys" / "trusted",
        SPOOL: settings.spool,
        PEOPLE: settings.people or settings.home / PEOPLE,
    }


def _keys(settings: Settings) -> dict[str, Path]:
    """Return where each secret key of a backup belongs, if the backup has it."""
    return {
        PRIVATE_KEY: settings.home / "keys" / LOCAL_KEY,
        PEOPLE_KEY: people_key_file(settings),
    }


def _put_back(folder: Path, folders: Mapping[str, Path], keys: Mapping[str, Path]) -> None:
    for name, target in folders.items():
        if (folder / name).is_dir():
            copy_folder(folder / name, target)
    for name, key in keys.items():
        if (folder / name).is_file():
            copy_file(folder / name, key)


def _by_place(manifest: Manifest, urls: Mapping[Part, str]) -> dict[str, tuple[str, str]]:
    """Return URL and copy of each database: two parts may share one."""
    copies = {place_of(url): (url, manifest.databases[part]) for part, url in urls.items()}
    for part, url in urls.items():
        if copies[place_of(url)][1] != manifest.databases[part]:
            raise ContractError(
                "the backup has two databases where the settings name one",
                "set REHABCAST_LEDGER_URL, REHABCAST_STORE_URL and REHABCAST_TRACKING_URI to"
                " databases of their own",
            )
    return copies


def _move_artifacts(url: str, before: str, artifacts: Path) -> None:
    after = artifacts.resolve()
    if str(after) == before:
        return
    engine = connect(url)
    try:
        move_artifacts(engine, Path(before), after)
    finally:
        engine.dispose()
