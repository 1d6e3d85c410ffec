"""Makes a backup while others go on writing, and tries it by restoring it.

What is copied first may refer only to what is copied later: forecasts that wait on disk, the
service's store, the ledger, the registry, its artifacts. So whatever an entry names is in the
backup, however many write meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from audits.ledger.records import LedgerState
from contracts.digests import file_digest
from contracts.errors import ContractError, EvidenceMissing
from rehabcast.auditing.overlap import people_key_file
from rehabcast.backups.contents import (
    KEPT,
    OPTIONAL,
    Part,
    databases,
    heads_of,
    require_bundles,
)
from rehabcast.backups.manifest import (
    ARTIFACTS,
    HEADS,
    KEYS,
    LEDGER_HEAD,
    MANIFEST,
    PEOPLE,
    PEOPLE_KEY,
    PRIVATE_KEY,
    RECORD_HEAD,
    SPOOL,
    Manifest,
    copy_file,
    copy_folder,
    files_of,
)
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import LOCAL_KEY, trusted_keys
from rehabcast.signed_heads import write_head
from serving.state.verification import RecordHead
from stores.copies import copy_database, is_copyable, place_of, scratch_database
from stores.database import open_kept
from stores.folders import drafted
from stores.private_files import make_private_folder


def make_backup(
    settings: Settings, folder: Path, *, without: Collection[Part], with_signing_key: bool
) -> Manifest:
    """Copy everything into a new folder, restore it on trial, and verify both chains there.

    The folder appears in one step, when all has been verified; before that, nothing of its name
    exists, and after a failure nothing is left.

    Raises
    ------
    ContractError
        The folder exists, or a part cannot be copied from here and was not left out on purpose.
    IntegrityError
        A chain is broken, a copy is not sound, or the champion's bundle is not among the artifacts.
    """
    if folder.exists():
        raise ContractError(f"{folder} exists already", "name a new folder for each backup")
    urls = {part: url for part, url in databases(settings).items() if part not in without}
    for part, url in urls.items():
        _require_copyable(part, url)
    make_private_folder(folder.parent)
    with drafted(folder) as unfinished:
        manifest = _fill(settings, unfinished, urls, with_signing_key=with_signing_key)
        unfinished.replace(folder)
    return manifest


def _require_copyable(part: Part, url: str) -> None:
    if not is_copyable(url):
        raise ContractError(
            f"the {part} is behind a server that rehabcast cannot copy",
            f"back it up where it runs, and say so: --without {part}",
        )
    try:
        open_kept(url, KEPT[part]).dispose()
    except EvidenceMissing as error:
        or_without = f"; a home without one is backed up with --without {part}"
        raise EvidenceMissing(
            error.reason, error.what_to_do + (or_without if part in OPTIONAL else "")
        ) from None


def _fill(
    settings: Settings, folder: Path, urls: Mapping[Part, str], *, with_signing_key: bool
) -> Manifest:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    _copy_spool(settings.spool, folder / SPOOL)
    names: dict[str, str] = {}
    copies: dict[str, str] = {}
    for part, url in urls.items():
        place = place_of(url)
        names[part] = copies[place] = copies.get(place) or copy_database(url, folder, part).name
    if Part.REGISTRY in urls and settings.store.artifacts.is_dir():
        copy_folder(settings.store.artifacts, folder / ARTIFACTS)
    for public in trusted_keys(settings):
        copy_file(public, folder / KEYS / public.name)
    if settings.people is not None:
        copy_folder(settings.people, folder / PEOPLE)
    people_key = people_key_file(settings)
    if people_key.is_file():
        copy_file(people_key, folder / PEOPLE_KEY)
    key = _own_key(settings)
    if with_signing_key:
        if key is None:
            raise EvidenceMissing("there is no private signing key", "leave --signing-key out")
        copy_file(key, folder / PRIVATE_KEY)
    ledger, record = _tried(settings, folder, names, urls)
    # As `rehabcast ledger head` and `rehabcast record head` write them.
    (folder / HEADS).mkdir()
    write_head(folder / LEDGER_HEAD, asdict(ledger), key)
    if record is not None:
        write_head(folder / RECORD_HEAD, {"record": asdict(record)}, key)
    manifest = Manifest(
        made_at=made_at,
        artifacts_at=str(settings.store.artifacts.resolve()),
        databases=names,
        ledger=ledger,
        record=record,
        heads_signed=key is not None,
        has_signing_key=with_signing_key,
        has_people_key=people_key.is_file(),
        files={str(file.relative_to(folder)): file_digest(file) for file in files_of(folder)},
    )
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", "utf-8")
    for made in folder.rglob("*"):
        made.chmod(0o700 if made.is_dir() else 0o600)
    return manifest


def _tried(
    settings: Settings, folder: Path, names: Mapping[str, str], urls: Mapping[Part, str]
) -> tuple[LedgerState, RecordHead | None]:
    """Restore the copies on trial; return the heads that were found there."""
    with TemporaryDirectory(dir=folder) as scratch, ExitStack() as trials:
        by_file = {
            file: trials.enter_context(scratch_database(folder / file, url, Path(scratch)))
            for file, url in {names[part]: url for part, url in urls.items()}.items()
        }
        heads = heads_of(settings, {part: by_file[names[part]] for part in urls})
        if Part.REGISTRY in urls:
            require_bundles(settings, by_file[names[Part.LEDGER]], folder / ARTIFACTS)
    return heads


def _copy_spool(source: Path, target: Path) -> None:
    """Copy the forecasts that wait; one that is stored meanwhile is in the store, copied after."""
    if not source.is_dir():
        return
    for path in sorted(source.iterdir()):
        with suppress(FileNotFoundError):
            copy_file(path, target / path.name)


def _own_key(settings: Settings) -> Path | None:
    """Return the private key that there is; none is made for a backup."""
    key = settings.signing_key or settings.home / "keys" / LOCAL_KEY
    return key if key.is_file() else None
