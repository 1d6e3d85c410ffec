"""The files of a backup, and the manifest that has the digest of each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits.ledger.records import LedgerState
from contracts.digests import file_digest
from contracts.errors import EvidenceMissing, IntegrityError
from contracts.naming.parsing import parsed_json
from serving.state.verification import RecordHead

MANIFEST = "manifest.json"
ARTIFACTS, KEYS, PEOPLE, HEADS, SPOOL = "artifacts", "keys", "people", "heads", "spool"
PRIVATE_KEY, PEOPLE_KEY = "signing-key.pem", "people.key"
LEDGER_HEAD, RECORD_HEAD = f"{HEADS}/ledger.json", f"{HEADS}/record.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds.

    Parameters
    ----------
    made_at
        UTC, ISO 8601: when it was begun.
    artifacts_at
        Absolute folder that the registry names its artifacts by.
    databases
        File of each part's copy; two parts in one database have one.
    ledger, record
        Heads of the chains, as the trial restore found them.
    heads_signed, has_signing_key
        Whether there was a key to sign the heads with, and whether the private key is here as well.
    files
        SHA-256 of every file but this one, by its path.
    has_people_key
        Whether the key is here that seals whom each model was trained on; backups of earlier
        versions of rehabcast do not have it.
    """

    made_at: str
    artifacts_at: str
    databases: Mapping[str, str]
    ledger: LedgerState
    record: RecordHead | None
    heads_signed: bool
    has_signing_key: bool
    files: Mapping[str, str]
    has_people_key: bool = False


def read_manifest(folder: Path) -> Manifest:
    """Return a backup's manifest, each file compared with its digest.

    Raises
    ------
    EvidenceMissing
        The folder is no backup.
    IntegrityError
        A file is missing, was changed, or is not in the manifest.
    """
    try:
        content: dict[str, Any] = parsed_json((folder / MANIFEST).read_text("utf-8"))
        record = content.pop("record")
        manifest = Manifest(
            **{**content, "ledger": LedgerState(**content["ledger"])},
            record=None if record is None else RecordHead(**record),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EvidenceMissing(
            f"{folder} is not a backup: its {MANIFEST} cannot be read", "name a backup's folder"
        ) from error
    found = {str(file.relative_to(folder)): file_digest(file) for file in files_of(folder)}
    wrong = sorted(
        name
        for name in found.keys() | manifest.files.keys()
        if name != MANIFEST and found.get(name) != manifest.files.get(name)
    )
    if wrong:
        raise IntegrityError(
            f"{folder}: {wrong[0]} is missing, was changed or was added", "use another backup"
        )
    return manifest


def files_of(folder: Path) -> Iterator[Path]:
    """Return every file in a folder, by name."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def copy_folder(source: Path, target: Path) -> None:
    """Copy every file of a folder, private from its first byte on.

    Raises
    ------
    IntegrityError
        One is a link: what it points to may be anything.
    """
    for path in sorted(source.resolve().rglob("*")):
        if path.is_symlink():
            raise IntegrityError(
                f"{path} is a link", "put what it points to in its place, or remove it"
            )
        if path.is_file():
            copy_file(path, target / path.relative_to(source.resolve()))


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, private from its first byte on, whatever the mode of the original."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.touch(mode=0o600, exist_ok=False)
    shutil.copyfile(source, target)
