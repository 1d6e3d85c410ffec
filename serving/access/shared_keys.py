"""Finds keys that two entries of an access file share: whoever has one could speak as both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from contracts.errors import ContractError
from serving.access.keys import Key, usable_keys


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
    owners: dict[str, tuple[int, str]] = {}
    # By number: two long names may be shown alike.
    for number, (owner, source) in enumerate(sources):
        if "://" in source:
            continue
        for fingerprint in _fingerprints(path.parent / source, unsaved.get(source)):
            first, other = owners.setdefault(fingerprint, (number, owner))
            if first != number:
                raise ContractError(
                    f"{path.name}: {other} and {owner} have the same key ({fingerprint[:12]}), so"
                    " each could speak as the other",
                    "give each a key of its own (`rehabcast access add-client ID` makes one)",
                )


def _fingerprints(file: Path, unsaved: str | None) -> set[str]:
    """Return the fingerprints of a JWKS, or of a private key in PEM; none of what is neither."""
    try:
        # As bytes, so that every file is understood as where its keys are used.
        content = file.read_bytes() if unsaved is None else unsaved.encode()
        return {key.thumbprint() for key in _keys(content)}
    # Keys that nobody can read let nobody in; they are read again while the service runs.
    except (OSError, ValueError, TypeError, JoseError, RecursionError):
        return set()


def _keys(content: bytes) -> list[Key]:
    try:
        jwks = json.loads(content)
    except ValueError:
        return [ECKey.import_key(content)]
    return [*usable_keys(jwks).values()]
