"""Seals whom a model has seen into its bundle, and opens it again.

The tokens of a person (`features.same_people`) would give facts away to whoever may guess them or
count how often each occurs, so they are encrypted as a whole (AES-256-GCM): without the key a
bundle tells the number of bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.predictions import Relation
from features.same_people import Person

KEY_BYTES, NONCE_BYTES = 32, 12
FORM = b"rehabcast people 1"


def token_key(key: bytes) -> bytes:
    """Return the key of the tokens, which is not the one that seals them."""
    return hashlib.blake2b(b"tokens", key=key, digest_size=32).digest()


def seal(people: Iterable[Person], key: bytes) -> bytes:
    """Return people's tokens, encrypted; in no order that the cohort has."""
    rows = sorted(
        [p.relation, p.identifier, sorted(p.facts), sorted(p.scores), sorted(p.days), p.length]
        for p in people
    )
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, zlib.compress(json.dumps(rows).encode()), FORM)


def unseal(sealed: bytes, key: bytes) -> tuple[Person, ...] | None:
    """Return what `seal` was given; None where the key is another one."""
    try:
        text = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], FORM)
    except InvalidTag:
        return None
    return tuple(
        Person(
            relation=Relation(relation),
            identifier=identifier,
            facts=frozenset(facts),
            scores=frozenset(scores),
            days=frozenset(days),
            length=length,
        )
        for relation, identifier, facts, scores, days, length in json.loads(zlib.decompress(text))
    )
