"""Who did what: entries signed by people's own keys, and whose entries count.

Where several people share a ledger, a name that somebody typed proves nothing. Each person then has
a private key; what lets a version into service (approval, promotion, rollback) is signed with it.
The signature covers the entry and, by the hash of the entry before, all that came earlier. Taking
a version out of service needs no key: in doubt it must be easy.

Without keys the ledger is a one-person trial: names are believed, and each entry says so.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from audits.ledger.people import People, PersonKey, fingerprint, person_key, same_person
from audits.ledger.trail import (
    APPROVAL,
    CHAMPION_CHANGES,
    ENDS,
    IDENTITY,
    NOT_VERIFIED,
    PLAN_APPROVAL,
    PROMOTION,
    RESTORE,
    RESTRICTION,
    ROLLBACK,
    Entry,
)
from contracts.errors import ContractError, EvidenceMissing, IntegrityError

SIGNED_KINDS = (APPROVAL, PLAN_APPROVAL, PROMOTION, ROLLBACK)
"""What lets a version into service, and is therefore signed where there are keys."""
DOMAIN = b"rehabcast ledger entry\n"
"""Begins what is signed, so that a signature made for something else is never one of an entry."""
SIGN_AGAIN = (
    "have two people approve the version again and promote it, each with their own key"
    " (docs/governance.md)"
)

Identify = Callable[[Entry], Any]
"""Returns what an entry, complete but for its identity and hash, says about who made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """How this ledger knows who acts.

    Parameters
    ----------
    people
        Public keys of all people; None in a one-person trial.
    own_key
        The private key of who acts now; None where they have given none.
    """

    people: People | None = None
    own_key: PersonKey | None = None

    def required(self, actor: str) -> Identify:
        """Return how an entry that lets a version into service is signed.

        Raises
        ------
        EvidenceMissing
            There are people's keys, but the actor gave none.
        ContractError
            The key is another person's.
        """
        if self.people is None:
            return not_verified
        if self.own_key is None:
            raise EvidenceMissing(
                f"{actor} has given no key to sign with, and the ledger is shared",
                "set REHABCAST_PERSON_KEY to your own private key (`rehabcast people add`)",
            )
        if not same_person(self.own_key.name, actor):
            raise ContractError(
                f"the key is that of {self.own_key.name}, not of {actor}",
                "sign with your own key (REHABCAST_PERSON_KEY), in your own name",
            )
        return self.own_key_signs

    def offered(self, actor: str) -> Identify:
        """Return how any other entry is signed: by the actor's key where it was given."""
        own = self.own_key
        return self.own_key_signs if own and same_person(own.name, actor) else not_verified

    def own_key_signs(self, entry: Entry) -> dict[str, str]:
        """Sign an entry with the key of who acts now."""
        assert self.own_key is not None  # noqa: S101  (both callers have checked)
        signature = self.own_key.private.sign(_signed_bytes(entry), ec.ECDSA(SHA256()))
        return {
            "key": fingerprint(self.own_key.private.public_key()),
            "signature": base64.b64encode(signature).decode(),
        }


TRIAL = Identities()
"""A one-person trial: names are believed, and the ledger says so."""


def not_verified(_: Entry) -> str:
    """Say that nobody has verified who acts."""
    return NOT_VERIFIED


def is_signed(entry: Entry) -> bool:
    """Return whether an entry carries a signature; it may be a wrong one (`check_signature`)."""
    return isinstance(entry.details().get(IDENTITY), dict)


def check_signature(entry: Entry, people: People) -> None:
    """Check that an entry was signed with a key of the person whom it names.

    Raises
    ------
    IntegrityError
        It was not: changed since, signed by somebody else, or with a key that is no longer valid.
    """
    identity = entry.details()[IDENTITY]
    person = people.find(entry.actor)
    keys = () if person is None else person.keys_at(entry.sequence)
    key = next((k for k in keys if fingerprint(k) == identity.get("key")), None)
    try:
        if key is None:
            raise InvalidSignature
        signature = base64.b64decode(str(identity.get("signature")), validate=True)
        key.verify(signature, _signed_bytes(entry), ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error) as error:
        raise IntegrityError(
            f"ledger: the {entry.kind} of entry {entry.sequence} is not signed by {entry.actor}",
            f"{RESTORE}; or give the public key that it was signed with (REHABCAST_PEOPLE)",
        ) from error


def check_identities(stored: Sequence[Entry], people: People | None) -> None:
    """Check the signatures of a verified trail, and that what is in service rests on signatures.

    Entries from before the first signed one may have none: they are those of a ledger that was
    made before people had keys. The first signature vouches for all before it, and from then on
    nothing unsigned lets a version into service.

    Raises
    ------
    IntegrityError
        A signature is missing or wrong, or a champion rests on an approval, an override or a
        promotion that nobody signed.
    EvidenceMissing
        Entries are signed, but there are no keys to verify them with.
    """
    if people is None:
        if any(map(is_signed, stored)):
            raise EvidenceMissing(
                "the ledger's entries are signed by people, and their keys are not known here",
                "set REHABCAST_PEOPLE to the folder of people's public keys",
            )
        return
    signed = _Signed()
    changes: dict[str, Entry] = {}
    for entry in stored:
        if is_signed(entry):
            check_signature(entry, people)
            signed.add(entry)
        elif signed.begun and entry.kind in SIGNED_KINDS:
            raise IntegrityError(
                f"ledger: the {entry.kind} of entry {entry.sequence} is not signed, although"
                " entries before it are",
                RESTORE,
            )
        # What narrows a service rests on the signatures of the change before.
        if entry.kind in CHAMPION_CHANGES and entry.kind != RESTRICTION:
            changes[entry.details()["champion"]["model"]] = entry
    for model, entry in changes.items():
        if entry.kind not in ENDS and not is_signed(entry):
            raise IntegrityError(
                f"ledger: nobody signed the {entry.kind} by which {model!r} is in service (entry"
                f" {entry.sequence})",
                SIGN_AGAIN,
            )


class _Signed:
    """The signed approvals and overrides so far, by version, report and person."""

    def __init__(self) -> None:
        self.begun = False
        self._approvals: set[tuple[str, str, str, str]] = set()
        self._overrides: set[tuple[str, str, str]] = set()

    def add(self, entry: Entry) -> None:
        """Take in a signed entry.

        Raises
        ------
        IntegrityError
            A promotion or rollback rests on an approval or override that its person did not sign.
        """
        self.begun, details = True, entry.details()
        if entry.kind == APPROVAL:
            given = (entry.about, details["report_digest"], details["role"])
            self._approvals.add((*given, person_key(entry.actor)))
        elif entry.kind in {PROMOTION, ROLLBACK}:
            self._check(entry, details["champion"])

    def _check(self, entry: Entry, champion: dict[str, Any]) -> None:
        about = (entry.about, champion["report_digest"])
        for field, role in (("ml_owner", "ml-owner"), ("governance", "governance")):
            if (*about, role, person_key(champion[field])) not in self._approvals:
                raise IntegrityError(
                    f"ledger: {champion[field]} did not sign the approval as {role} that the"
                    f" {entry.kind} of entry {entry.sequence} rests on",
                    SIGN_AGAIN,
                )
        if champion["approver"] is None:
            return
        override = (*about, person_key(champion["approver"]))
        if entry.kind == PROMOTION and same_person(entry.actor, champion["approver"]):
            self._overrides.add(override)
        if override not in self._overrides:
            raise IntegrityError(
                f"ledger: {champion['approver']} did not sign the override that the {entry.kind}"
                f" of entry {entry.sequence} rests on",
                SIGN_AGAIN,
            )


def _signed_bytes(entry: Entry) -> bytes:
    record = asdict(entry)
    del record["hash"]
    record["payload"] = {name: v for name, v in entry.details().items() if name != IDENTITY}
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return DOMAIN + text.encode()
