"""People: when two names are one person's, and the keys that people sign with.

A person's public keys (PEM, NIST curves) are in a file of their name: `Mia Moor.pem`. One key is
one person's. A key that is no longer used stays, so that what it signed can be verified, with a
line before it that says which entry of the ledger was the last that it may have signed:

    Last-Entry: 57
    -----BEGIN PUBLIC KEY-----
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from contracts.errors import ContractError, EvidenceMissing
from contracts.naming.names import canonical, comparable, flaw, shown
from stores.private_files import require_private, require_unchanged_by_others

LAST_ENTRY = "Last-Entry"
PUBLIC_KEY = re.compile(
    rf"(?:^{LAST_ENTRY}: *([0-9]+) *\n)?"
    r"(-----BEGIN PUBLIC KEY-----\n.*?-----END PUBLIC KEY-----)",
    re.DOTALL | re.MULTILINE,
)
HOW_TO_WRITE_A_NAME = "write the name with letters, digits and single spaces"


def person_name(name: str, what: str = "the name") -> str:
    """Return a person's name in its one spelling.

    Raises
    ------
    ContractError
        It has a character that nobody can see, another form of a usual one, or letters of two
        alphabets in one word; the message says which, and where.
    """
    spelled = canonical(name)
    if (why := flaw(spelled)) is not None:
        raise ContractError(f"{what} {shown(spelled)!r} cannot be used: {why}", HOW_TO_WRITE_A_NAME)
    return spelled


def person_key(name: str) -> str:
    """Return what a person's name is compared by: its letters, marks and digits."""
    letters = "".join(c for c in comparable(name) if unicodedata.category(c)[0] in "LMN")
    return letters or comparable(name)


def same_person(one: str, other: str) -> bool:
    """Return whether two names are, or cannot be told from, the same person's."""
    return person_key(one) == person_key(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key, and the last entry that it may have signed; None while it is in use."""

    key: ec.EllipticCurvePublicKey
    last_entry: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person, and their public keys."""

    name: str
    keys: tuple[PublicKey, ...]

    def keys_at(self, sequence: int) -> tuple[ec.EllipticCurvePublicKey, ...]:
        """Return the keys that may have signed an entry of the ledger."""
        return tuple(k.key for k in self.keys if k.last_entry is None or sequence <= k.last_entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everyone whose signature counts."""

    persons: tuple[Person, ...]

    def find(self, name: str) -> Person | None:
        """Return the person of a name; None where there is none."""
        return next((person for person in self.persons if same_person(person.name, name)), None)

    def owner(self, key: ec.EllipticCurvePublicKey) -> Person | None:
        """Return whose key in use this is; None where it is nobody's."""
        for person in self.persons:
            if any(k.last_entry is None and k.key == key for k in person.keys):
                return person
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonKey:
    """The private key of a person who acts now."""

    name: str
    private: ec.EllipticCurvePrivateKey


def read_people(folder: Path) -> People:
    """Read everyone's public keys from a folder of `NAME.pem`.

    Raises
    ------
    EvidenceMissing
        There is no such folder, or no key in it.
    ContractError
        A file is not a name and a key; or two names, or two files' keys, are one person's.
    ReadableByOthers
        Other users of this machine can change one, or add one.
    """
    persons: list[Person] = []
    owners: dict[str, str] = {}
    for path in sorted(folder.glob("*.pem")):
        require_unchanged_by_others(path)
        person = Person(
            name=person_name(path.stem, f"{path.name}: the name"), keys=tuple(_keys_of(path))
        )
        for other in persons:
            if same_person(other.name, person.name):
                raise ContractError(
                    f"{path.name}: {person.name} and {other.name} cannot be told apart",
                    "keep one file a person, with all their keys in it",
                )
        for key in {fingerprint(public.key) for public in person.keys}:
            if key in owners:
                raise ContractError(
                    f"{path.name}: its key is that of {owners[key]} as well",
                    "give each person a key of their own (`rehabcast people add`)",
                )
            owners[key] = person.name
        persons.append(person)
    if not persons:
        raise EvidenceMissing(
            "there are no public keys of people in the folder that REHABCAST_PEOPLE names",
            "add the people who approve and promote (`rehabcast people add NAME`)",
        )
    return People(persons=tuple(persons))


def read_person_key(path: Path, people: People) -> PersonKey:
    """Read the private key of who acts now, and whose it is.

    Raises
    ------
    EvidenceMissing
        It cannot be read, or is nobody's key in use.
    ReadableByOthers
        Other users of this machine can read it, and so sign with it.
    """
    require_private(path)
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise EvidenceMissing(
            f"{path.name} is not a private key that can be read ({type(error).__name__})",
            "set REHABCAST_PERSON_KEY to your own private key (PEM, without a password)",
        ) from error
    owner = (
        people.owner(private.public_key())
        if isinstance(private, ec.EllipticCurvePrivateKey)
        else None
    )
    if owner is None or not isinstance(private, ec.EllipticCurvePrivateKey):
        raise EvidenceMissing(
            f"{path.name} is not the private key of anyone among the people of this ledger",
            "add its public key (`rehabcast people add NAME --public-key FILE`)",
        )
    return PersonKey(name=owner.name, private=private)


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """Return the SHA-256 of a public key, by which entries name it."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).hexdigest()


def _keys_of(path: Path) -> Iterator[PublicKey]:
    try:
        found = PUBLIC_KEY.findall(path.read_text("ascii").replace("\r\n", "\n"))
        if not found:
            raise ValueError("no public key")
        for last_entry, pem in found:
            key = load_pem_public_key(pem.encode())
            if not isinstance(key, ec.EllipticCurvePublicKey):
                raise ValueError("not an elliptic-curve key")
            yield PublicKey(key=key, last_entry=int(last_entry) if last_entry else None)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ContractError(
            f"{path.name}: not a public key that can be read ({type(error).__name__})",
            "make one with `rehabcast people add NAME`, or convert it to PEM (NIST P-256)",
        ) from error
