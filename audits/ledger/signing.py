"""Signs and verifies bundles, reports and ledger heads: `model-signing` in key mode (ECDSA).

A signature shows whose key vouches for the bytes; the ledger says what may be done with them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from contracts.bundle import REGISTRY_NOTE
from contracts.errors import EvidenceMissing, IntegrityError
from stores.folders import drafted
from stores.private_files import written_whole

SIGNATURE = ".sig"
"""A signature is kept beside what was signed: `bundle` and `bundle.sig`, `report.json.sig`."""


DIFFERENCES = {
    r"Hash mismatch for '(.*)': Expected": "changed",
    r"Extra files found in model '.*?': (.*)": "added",
    r"Missing files in model '.*?': (.*)": "missing",
}
"""How model-signing words what differs, and how we do."""

NOT_TRUSTED = "do not use it; make and sign it again from a source that you trust"
"""What to do about bytes that nobody vouches for."""


def make_key(private: Path, public: Path) -> None:
    """Create a key pair (NIST P-256); only the owner can read the private key.

    Raises
    ------
    IntegrityError
        The private key exists already: a key is replaced by a new one under another name.
    """
    if private.exists():
        raise IntegrityError(f"{private} exists already", "create the new key under another name")
    key = ec.generate_private_key(ec.SECP256R1())
    for path in (private, public):
        path.parent.mkdir(parents=True, exist_ok=True)
    # The public one first: without the private one, the same command makes both anew.
    with written_whole(public) as draft:
        draft.write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
    with written_whole(private, new=True) as draft:
        draft.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@contextmanager
def written_signed(path: Path, private_key: Path) -> Iterator[Path]:
    """Write a file and its signature: yield a draft, which is signed and takes its place.

    Where that is not reached, a file that was there stays as it was, with its signature.

    Raises
    ------
    EvidenceMissing
        As `sign`.
    OSError
        The folder is missing, or cannot be written.
    """
    # Of the same name, in a folder of its own: a signature knows what it is of by name.
    with drafted(path) as folder:
        draft = folder / path.name
        signature = draft.with_name(path.name + SIGNATURE)
        yield draft
        sign(draft, signature, private_key)
        # One without the other is refused by whoever reads them.
        signature.replace(path.with_name(signature.name))
        draft.replace(path)


def sign(path: Path, signature: Path, private_key: Path) -> None:
    """Sign a file or folder, and write the signature beside it.

    Raises
    ------
    EvidenceMissing
        The key does not exist, or cannot sign.
    """
    from model_signing import signing

    try:
        config = signing.Config().use_elliptic_key_signer(private_key=private_key)
        config.set_hashing_config(_hashing())
        config.sign(path, signature)
    except (OSError, ValueError, TypeError) as error:
        raise EvidenceMissing(
            f"{private_key} is not a key that can sign: {error}",
            "set REHABCAST_SIGNING_KEY to a private key in PEM (docs/governance.md)",
        ) from error


def verify(path: Path, signature: Path, public_keys: Iterable[Path]) -> Path:
    """Verify the signature of a file or folder; return the public key that it is valid for.

    Raises
    ------
    IntegrityError
        There is no signature, it is by none of the keys, or a byte was changed.
    """
    from model_signing import verifying

    if links := [file.name for file in (path, *path.rglob("*")) if file.is_symlink()]:
        raise IntegrityError(
            f"{path.name}: a link instead of a file: {', '.join(sorted(links))}", NOT_TRUSTED
        )
    keys = sorted(public_keys)
    if not signature.is_file():
        raise IntegrityError(
            f"{path.name} is not signed: there is no {signature.name}", NOT_TRUSTED
        )
    if not keys:
        raise IntegrityError(
            f"{path.name}: not what was signed by a trusted key, because there is none",
            "set REHABCAST_TRUSTED_KEYS to a folder of public keys",
        )
    last_error: Exception | None = None
    for key in keys:
        try:
            config = verifying.Config().use_elliptic_key_verifier(public_key=key)
            config.set_hashing_config(_hashing()).verify(path, signature)
        # model-signing does not document what a broken signature raises: anything from a parser's
        # error to cryptography's. Whatever it is, the bytes are not vouched for.
        except Exception as error:
            last_error = error
            if changes := _changes(str(error), path.name):
                raise IntegrityError(
                    f"{path.name}: not what was signed by a trusted key ({key.name}):"
                    f" {'; '.join(changes)}",
                    NOT_TRUSTED,
                ) from error
        else:
            return key
    raise IntegrityError(
        f"{path.name}: not what was signed by a trusted key: signed with none of"
        f" {', '.join(key.name for key in keys)}, or the signature was changed",
        NOT_TRUSTED,
    ) from last_error


def _hashing() -> Any:
    """Return how a folder is hashed: all of it but the note that MLflow's client leaves in it."""
    from model_signing import hashing

    return hashing.Config().set_ignored_paths(paths=[REGISTRY_NOTE])


def _changes(message: str, whole: str) -> list[str]:
    """Return which files differ, from model-signing's message about a signature that is good.

    Without digests, which help nobody; empty where the message is about something else. A single
    file is not named by it, so `whole` is its name.
    """
    found = message.removeprefix("Signature mismatch: ")
    try:
        differences = ast.literal_eval(found) if found != message else []
    except (SyntaxError, ValueError):
        return []
    changed: list[str] = []
    for difference in map(str, differences):
        for pattern, what in DIFFERENCES.items():
            if match := re.match(pattern, difference, re.DOTALL):
                changed.append(f"{what}: {whole if match.group(1) == '.' else match.group(1)}")
    return changed
