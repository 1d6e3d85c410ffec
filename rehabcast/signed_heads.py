"""Heads of the ledger and of the service's record: signed, and kept elsewhere to show a cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from audits.ledger.signing import SIGNATURE, verify, written_signed
from contracts.errors import ContractError, EvidenceMissing, IntegrityError
from stores.private_files import written_whole

T = TypeVar("T")


def write_head(path: Path, head: Mapping[str, object], key: Path | None) -> None:
    """Write a head, and its signature beside it.

    Parameters
    ----------
    key
        Private key to sign it with; None where there is none, as in a backup of a home without one.

    Raises
    ------
    ContractError
        The file cannot be written.
    """
    try:
        with written_whole(path) if key is None else written_signed(path, key) as draft:
            draft.write_text(json.dumps(head), "utf-8")
    except OSError as error:
        raise ContractError(
            f"{str(path)!r} cannot be written ({error.strerror})",
            "give the name of a file in a folder that exists",
        ) from error


def read_head(path: Path, keys: Iterable[Path], read: Callable[[dict[str, Any]], T], of: str) -> T:
    """Read a head that was kept elsewhere.

    Parameters
    ----------
    keys
        Public keys of which one must have signed it.
    read
        Makes the head of what the file holds.
    of
        Whose head it is: `ledger` or `record`, as in the command that wrote it.

    Raises
    ------
    EvidenceMissing
        There is no such file.
    IntegrityError
        It is not signed by a trusted key, or is another's head, or none.
    """
    if not path.is_file():
        raise EvidenceMissing(
            f"there is no file {str(path)!r} to compare the {of} with",
            f"give the file that `rehabcast {of} head` wrote, with its FILE.sig beside it",
        )
    verify(path, path.with_name(path.name + SIGNATURE), keys)
    try:
        return read(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise IntegrityError(
            f"{path.name} is signed, but is no head of a {of}",
            f"give the file that `rehabcast {of} head` wrote",
        ) from error
