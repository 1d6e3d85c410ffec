"""Signs and verifies bundles, reports and ledger heads: `model-signing` in key mode (ECDSA).

A signature says who vouches for the bytes; the ledger says what may be done with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from contracts.errors import EvidenceMissing, IntegrityError

SIGNATURE = ".sig"
"""A signature lies beside what it is of: `bundle` and `bundle.sig`, `report.json.sig`."""


def make_key(private: Path, public: Path) -> None:
    """Make a key pair (NIST P-256): the private one readable by its owner only.

    Raises
    ------
    IntegrityError
        The private key is there already: a key is replaced by a new one under another name.
    """
    if private.exists():
        raise IntegrityError(f"{private} is there already: make the new key under another name")
    key = ec.generate_private_key(ec.SECP256R1())
    for path in (private, public):
        path.parent.mkdir(parents=True, exist_ok=True)
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )


def sign(path: Path, signature: Path, private_key: Path) -> None:
    """Sign a file or folder, and write the signature outside of it.

    Raises
    ------
    EvidenceMissing
        There is no such key, or it is none.
    """
    from model_signing import signing

    try:
        config = signing.Config().use_elliptic_key_signer(private_key=private_key)
        config.sign(path, signature)
    except (OSError, ValueError, TypeError) as error:
        raise EvidenceMissing(f"{private_key}: no key that can sign: {error}") from error


def verify(path: Path, signature: Path, public_keys: Iterable[Path]) -> Path:
    """Check a file or folder against its signature; return the key that it was signed with.

    Raises
    ------
    IntegrityError
        There is no signature, it is by none of the keys, or a byte was changed.
    """
    from model_signing import verifying

    keys = sorted(public_keys)
    if not signature.is_file():
        raise IntegrityError(f"{path.name} is not signed: there is no {signature.name}")
    if not keys:
        raise IntegrityError(
            f"{path.name}: not what was signed by a trusted key: there is none, set"
            " REHABCAST_TRUSTED_KEYS"
        )
    refused: Exception | None = None
    for key in keys:
        try:
            config = verifying.Config().use_elliptic_key_verifier(public_key=key)
            config.verify(path, signature)
        # What a broken signature raises is not told by model-signing: from a parser's error to
        # cryptography's. Whatever it is, the bytes are not vouched for.
        except Exception as error:
            refused = error
        else:
            return key
    raise IntegrityError(
        f"{path.name}: not what was signed by a trusted key: changed since, or signed with none of"
        f" {', '.join(key.name for key in keys)}"
    ) from refused
