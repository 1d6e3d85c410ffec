"""What is on record for years: entries as they were hashed and signed once must verify for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from audits.ledger.identity import check_signature
from audits.ledger.people import People, Person, PublicKey, fingerprint
from audits.ledger.trail import Entry, verified
from contracts.errors import IntegrityError

PUBLIC = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQNXj/RvPm9nWUQMeyPPdSem9STOU
Elz0XuwLII2N0lHl+2afT8Tq4YGYYQWitROc+CCcgUvKU6amF+FD+RHkgw==
-----END PUBLIC KEY-----
"""
KEY = "bb7463aca23c4a5ac4c36753865aea5ad8d8a4415f20be1399c622cb18b73734"
SIGNATURE = "MEQCIFKDERSIawZXZZ+FidiIWc36Sd1T+2xgwrLKxVpMguwFAiA+cgD3wo5yrzxyaM9mF59c3ImRj8DuywMKTaiIun+IJQ=="
SIGNED = Entry(
    sequence=2, time="2026-11-24T10:00:00+00:00", kind="approval", about="arm/3", actor="mia",
    payload='{"audit":1,"identity":{"key":"' + KEY + '","signature":"' + SIGNATURE + '"},'
    '"reason":"Gelesen, f\\u00fcr gut befunden.","report_digest":"' + "e" * 64 + '",'
    '"role":"governance"}',
    previous="0" * 64, hash="h",
)  # fmt: skip


def people() -> People:
    key = load_pem_public_key(PUBLIC)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert fingerprint(key) == KEY
    mia = Person(name="mia", keys=(PublicKey(key=key, last_entry=None),))
    return People(persons=(mia,))


def test_a_signature_of_an_earlier_version_verifies() -> None:
    check_signature(SIGNED, people())
    # The hash is not signed: it is of the entry with its signature.
    check_signature(replace(SIGNED, hash="other"), people())
    for changed in (
        replace(SIGNED, sequence=3), replace(SIGNED, time="2026-11-24T10:00:01+00:00"),
        replace(SIGNED, about="arm/4"), replace(SIGNED, previous="1" * 64),
        replace(SIGNED, payload=SIGNED.payload.replace("gut", "schlecht")),
    ):  # fmt: skip
        with pytest.raises(IntegrityError):
            check_signature(changed, people())


def test_a_hash_of_an_earlier_version_verifies() -> None:
    first = Entry(
        sequence=1, time="2026-11-24T10:00:00+00:00", kind="policy", about="audit policy 1.0",
        actor="Ann Müller", payload='{"digest":"' + "d" * 64 + '","identity":"not verified"}',
        previous="0" * 64, hash=HASH,
    )  # fmt: skip
    assert list(verified(iter([first]))) == [first]
    with pytest.raises(IntegrityError):
        list(verified(iter([replace(first, actor="Ann Muller")])))


HASH = "4de7b0dc144405a1ff3fdea57631c542fa579b1b670110a9d7155bc60c660f32"
