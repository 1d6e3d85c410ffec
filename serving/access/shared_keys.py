"""Finds keys that two entries of an access file share: whoever has one could speak as both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from joserfc.jwk import ECKey

from contracts.errors import ContractError
from serving.access.access_file import AccessFile
from serving.access.keys import Key, usable_keys

SERVICE = "the service itself"


def require_own_keys(
    path: Path, written: AccessFile, unsaved: Mapping[str, str] | None = None
) -> None:
    """Check that each key in the files beside an access file is that of one entry only.

    A key is known by its fingerprint (RFC 7638), whatever its id and its file's name. Keys at an
    https address are not there to be compared before they are needed.

    Parameters
    ----------
    unsaved
        Contents of files that are to be written beside it, by name.

    Raises
    ------
    ContractError
        Two entries share a key, or one has that of the service; says which.
    """
    owners: dict[str, str] = {}
    for owner, source in _sources(written):
        for fingerprint in _fingerprints(path.parent / source, (unsaved or {}).get(source)):
            other = owners.setdefault(fingerprint, owner)
            if other != owner:
                raise ContractError(
                    f"{path.name}: {other} and {owner} have the same key ({fingerprint[:12]}), so"
                    " each could speak as the other",
                    "give each a key of its own (`rehabcast access add-client ID` makes one)",
                )


def _sources(written: AccessFile) -> list[tuple[str, str]]:
    entries = [(f"the client {client.id!r}", client.jwks) for client in written.client]
    entries += [(f"the issuer {issuer.name!r}", issuer.jwks) for issuer in written.issuer]
    files = [(owner, source) for owner, source in entries if "://" not in source]
    return files if written.token_key is None else [(SERVICE, written.token_key), *files]


def _fingerprints(file: Path, unsaved: str | None) -> set[str]:
    """Return the fingerprints of a JWKS, or of a private key in PEM; none of what is neither."""
    try:
        content = file.read_text("utf-8") if unsaved is None else unsaved
        if file.suffix == ".pem":
            return {ECKey.import_key(content).thumbprint()}
        keys: Mapping[str, Key] = usable_keys(json.loads(content))
    # Keys that nobody can read let nobody in; they are read again while the service runs.
    except (OSError, ValueError, RecursionError):
        return set()
    return {key.thumbprint() for key in keys.values()}
