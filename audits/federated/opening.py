"""Files of one round together: that they fit each other, and what follows from them."""

from __future__ import annotations

import binascii
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from audits.federated.agreement import agree, classes
from audits.federated.files import ASK_AGAIN, PEOPLE_STEP, MaskedSums, Offer, Signed
from audits.federated.joint import Joint
from audits.federated.masks import Masked
from audits.federated.sums import length_of
from contracts.digests import record_digest
from contracts.errors import ContractError, IntegrityError


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The offers of all sites of a round, which fit each other."""

    offers: tuple[Signed[Offer], ...]
    joint: Joint

    @property
    def first(self) -> Offer:
        """One of them: they agree on model, policy and round."""
        return self.offers[0].content

    @property
    def digests(self) -> dict[str, str]:
        """Digest of each site's offer."""
        return {each.content.site: each.digest for each in self.offers}

    @property
    def digest(self) -> str:
        """Digest of all that the sites agreed on."""
        return record_digest(self.digests)

    @property
    def public_keys(self) -> dict[str, bytes]:
        """Public key of each site."""
        return {o.content.site: bytes.fromhex(o.content.public_key) for o in self.offers}


def open_round(offers: Sequence[Signed[Offer]]) -> Round:
    """Check that offers are of one round, and return what follows from them.

    Raises
    ------
    ContractError
        Offers of fewer than two sites, or that do not fit each other.
    """
    if len(offers) < 2:
        raise ContractError("a round needs the offers of at least two sites", "give them all")
    offers = sorted(offers, key=lambda each: each.content.site)
    first = offers[0].content
    alike: dict[str, Callable[[Offer], object]] = {
        "round": lambda o: o.round,
        "model": lambda o: o.bundle_digest,
        "policy": lambda o: o.policy_digest,
        "kind of people (SIMULATED or real)": lambda o: o.simulated,
    }
    for what, value_of in alike.items():
        for other in offers[1:]:
            if value_of(other.content) != value_of(first):
                raise ContractError(
                    f"the offer of {other.content.site} is of another {what} than that of"
                    f" {first.site}",
                    "give the offers of one round, of the same model and policy",
                )
    _require_different(offers)
    for each in offers:
        content = each.content
        letters = {len(code) for of in content.codes.values() for code in of.values()}
        if letters != {len(classes(content.sets))} or "" not in content.codes:
            raise ContractError(
                f"the offer of {content.site} does not say of every group what it must", ASK_AGAIN
            )
    said = tuple(each.content.said for each in offers)
    has_champion = any(each.content.has_champion for each in offers)
    joint = Joint(layout=agree(said), said=said, has_champion=has_champion)
    return Round(offers=tuple(offers), joint=joint)


def _require_different(files: Sequence[Signed[Offer | MaskedSums]]) -> None:
    """Refuse a site twice, and a key under two names: nobody may be several sites."""
    for one, other in itertools.pairwise(files):
        if one.content.site == other.content.site:
            raise ContractError(f"{one.content.site} is given twice", "give one file of each site")
    keys = sorted(files, key=lambda each: each.key)
    for one, other in itertools.pairwise(keys):
        if one.key == other.key:
            raise ContractError(
                f"the files of {one.content.site} and {other.content.site} are signed with the same"
                f" key, {one.key}, so one of them may have made both",
                "every site signs with a key of its own (REHABCAST_SIGNING_KEY)",
            )


def require_current(opened: Round, now: datetime) -> None:
    """Refuse to make sums for a round whose keys have expired.

    Raises
    ------
    ContractError
        One has.
    """
    for each in opened.offers:
        if each.content.until <= now:
            raise ContractError(
                f"the key of {each.content.site} expired at"
                f" {each.content.until.isoformat(timespec='minutes')}",
                "make a new offer at every site, for a new round",
            )


def sums_by_site(opened: Round, files: Sequence[Signed[MaskedSums]]) -> dict[str, Masked]:
    """Return the masked sums of every site of a round.

    Raises
    ------
    ContractError
        A file is of another round, a site is there twice or missing, or a file was made after the
        keys had expired.
    IntegrityError
        A file is signed with another key than its site's offer, or has not as many numbers as the
        round has.
    """
    files = sorted(files, key=lambda each: each.content.site)
    key_of = {each.content.site: each.key for each in opened.offers}
    for each in files:
        content = each.content
        if content.offers != opened.digests:
            raise ContractError(
                f"the sums of {content.site} are of another round, or of other offers than those"
                " given",
                "give the files of one round: an offer and the sums of each of its sites",
            )
        if key_of.get(content.site) != each.key:
            raise IntegrityError(
                f"the sums of {content.site} are signed with another key than its offer", ASK_AGAIN
            )
    _require_different(files)
    if absent := sorted(set(key_of) - {each.content.site for each in files}):
        raise ContractError(
            f"there are no sums of {', '.join(absent)}: without them the masks do not cancel",
            "wait for them, or begin a new round without that site",
        )
    for each in files:
        require_current(opened, each.content.made_at)
    length = length_of(opened.joint.layout, opened.joint.sides)
    found = {}
    for each in files:
        try:
            found[each.content.site] = each.content.numbers()
        except (binascii.Error, ValueError):
            found[each.content.site] = np.array([], dtype=np.uint64)
        if len(found[each.content.site]) != length:
            raise IntegrityError(
                f"the sums of {each.content.site} are not the {length} numbers of this round",
                ASK_AGAIN,
            )
    return found


def require_as_many(opened: Round, sums: Sequence[MaskedSums], people: int) -> None:
    """Refuse a total that is not of about as many people as the sites say that they have.

    A site that adds people to its sums must then say so, where everybody reads it.

    Raises
    ------
    IntegrityError
        There are more or fewer people.
    """
    stated = sum(0 if each.about is None else each.about.people for each in sums)
    if abs(people - stated) > PEOPLE_STEP / 2 * len(sums):
        raise IntegrityError(
            f"the sums are of {people} people, and the sites say that they have about {stated}",
            "ask the sites which of them gave other numbers than its own",
        )
