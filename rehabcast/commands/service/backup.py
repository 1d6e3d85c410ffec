"""`rehabcast backup` and `rehabcast restore`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from audits.ledger.records import LedgerState
from rehabcast.backups.contents import OPTIONAL, Part
from rehabcast.backups.making import make_backup
from rehabcast.backups.manifest import Manifest
from rehabcast.backups.restoring import restore_backup
from rehabcast.output import AsJson, emit, stderr_console
from rehabcast.settings import Settings
from serving.state.verification import RecordHead


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """A backup that was made, or put back.

    Parameters
    ----------
    made_at
        UTC, ISO 8601.
    ledger, record
        Heads of the ledger and of the service's record, verified; None for a record left out.
    files
        How many files the backup has.
    heads_signed, has_signing_key
        Whether the heads are signed, and whether the private signing key is in the backup.
    has_people_key
        Whether it has the key that seals whom each model was trained on.
    """

    made_at: str
    ledger: LedgerState
    record: RecordHead | None
    files: int
    heads_signed: bool
    has_signing_key: bool
    has_people_key: bool


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; none may exist.")],
    without: Annotated[
        list[Part] | None,
        typer.Option(help=f"Leave a part out on purpose: {' or '.join(OPTIONAL)}."),
    ] = None,
    signing_key: Annotated[
        bool,
        typer.Option(
            "--signing-key", help="Include the private signing key; by default it is not."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Back up everything while the service runs, restore it on trial and verify both chains."""
    left_out = without or []
    if Part.LEDGER in left_out:
        raise typer.BadParameter(
            "a backup without the ledger proves nothing", param_hint="--without"
        )
    manifest = make_backup(Settings(), folder, without=left_out, with_signing_key=signing_key)
    message = f"{_summary(manifest)} It was restored on trial, and both chains are intact."
    emit(_result(manifest), message, as_json=as_json)
    if manifest.has_signing_key:
        stderr_console.print(
            "This backup contains the private signing key: whoever reads it can sign models."
        )
    elif not manifest.heads_signed:
        stderr_console.print(
            "No signing key here, so the heads are not signed: keep one from"
            " `rehabcast ledger head` in another place."
        )
    else:
        stderr_console.print("The private signing key is not in this backup: keep it apart.")


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a backup.")],
    as_json: AsJson = False,
) -> None:
    """Put a backup back into a new, empty home; nothing that exists is ever overwritten."""
    manifest = restore_backup(Settings(), folder)
    message = f"Restored, and both chains are intact. {_summary(manifest)}"
    emit(_result(manifest), message, as_json=as_json)
    if not manifest.has_people_key:
        stderr_console.print(
            "This backup has no keys/people.key: without it nobody can tell whom the models in it"
            " were trained on. If the earlier home had one, copy it here."
        )


def _result(manifest: Manifest) -> BackedUp:
    return BackedUp(
        made_at=manifest.made_at,
        ledger=manifest.ledger,
        record=manifest.record,
        files=len(manifest.files),
        heads_signed=manifest.heads_signed,
        has_signing_key=manifest.has_signing_key,
        has_people_key=manifest.has_people_key,
    )


def _summary(manifest: Manifest) -> str:
    record = "" if manifest.record is None else f", {manifest.record.length} of the record"
    return (
        f"Backup of {manifest.made_at}: {manifest.ledger.length} entries of the ledger{record},"
        f" {len(manifest.files)} files."
    )
