"""Masks of a site's sums, which cancel when the sums of all sites of a round are added.

Every two sites agree on a key (X25519, RFC 7748; HKDF, RFC 5869) that nobody else has, and stretch
it into numbers (ChaCha20) that one of them adds and the other takes away, modulo 2^64. The sums of
any site, and of any part of the sites, are then numbers that any people could have given (Bonawitz
and others 2017, without their recovery of sites that drop out: a round needs the file of everyone).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from audits.federated.sums import Ints

Masked = NDArray[np.uint64]


def new_key() -> bytes:
    """Return a new private key; one is made for each site and round."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_of(private: bytes) -> bytes:
    """Return the public key of a private one."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def masked(
    sums_K: Ints, site: str, private: bytes, public_keys: Mapping[str, bytes], round_digest: str
) -> Masked:
    """Return a site's sums under the masks that it shares with each other site, (K,).

    Parameters
    ----------
    public_keys
        Of all sites of the round, by name.
    round_digest
        Of all that the sites agreed on: masks of other agreements are other numbers.

    Raises
    ------
    ValueError
        A public key is none.
    """
    total_K = sums_K.astype(np.uint64)
    for other, public in public_keys.items():
        if other != site:
            mask_K = _mask(private, public, round_digest, len(sums_K))
            total_K = total_K + mask_K if site < other else total_K - mask_K
    return total_K


def unmasked(files: Mapping[str, Masked]) -> Ints:
    """Return the sums over all sites, (K,); noise unless the files are of one whole round."""
    total_K = np.zeros_like(next(iter(files.values())))
    for masked_K in files.values():
        total_K = total_K + masked_K
    return total_K.astype(np.int64)


def _mask(private: bytes, public: bytes, round_digest: str, length: int) -> Masked:
    shared = X25519PrivateKey.from_private_bytes(private).exchange(
        X25519PublicKey.from_public_bytes(public)
    )
    # Both have the same key: which of them adds is said by their names.
    key = HKDF(
        algorithm=SHA256(), length=32, salt=bytes.fromhex(round_digest),
        info=b"rehabcast federated audit, mask",
    ).derive(shared)  # fmt: skip
    # The key is used once, so the nonce may be the same.
    stream = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
    return np.frombuffer(stream.update(bytes(8 * length)), dtype="<u8").astype(np.uint64)
