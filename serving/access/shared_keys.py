"""Finds keys that two entries of an access file share: whoever has one could speak as both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from joserfc.jwk import ECKey

from contracts.errors import ContractError
from serving.access.keys import Key, usable_keys

PEM = "-----BEGIN"


def require_own_keys(
    path: Path, sources: Iterable[tuple[str, str]], unsaved: Mapping[str, str]
) -> None:
    """Check that each key in the files beside an access file is that of one entry only.

    A key is known by its fingerprint (RFC 7638), whatever its id and its file's name. Keys at an
    https address are not there to be compared before they are needed.

    Parameters
    ----------
    sources
        Each entry in words, and the file or address of its keys.
    unsaved
        Contents of files that are to be written beside it, by name.

    Raises
    ------
    ContractError
        Two entries share a key; says which.
    """
    owners: dict[str, str] = {}
    for owner, source in sources:
        if "://" in source:
            continue
        for fingerprint in _fingerprints(path.parent / source, unsaved.get(source)):
            other = owners.setdefault(fingerprint, owner)
            if other != owner:
                raise ContractError(
                    f"{path.name}: {other} and {owner} have the same key ({fingerprint[:12]}), so"
                    " each could speak as the other",
                    "give each a key of its own (`rehabcast access add-client ID` makes one)",
                )


def _fingerprints(file: Path, unsaved: str | None) -> set[str]:
    """Return the fingerprints of a JWKS, or of a private key in PEM; none of what is neither."""
    try:
        content = file.read_text("utf-8") if unsaved is None else unsaved
        if content.startswith(PEM):
            return {ECKey.import_key(content).thumbprint()}
        keys: Mapping[str, Key] = usable_keys(json.loads(content))
    # Keys that nobody can read let nobody in; they are read again while the service runs.
    except (OSError, ValueError, RecursionError):
        return set()
    return {key.thumbprint() for key in keys.values()}
