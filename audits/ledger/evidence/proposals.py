"""Proposals to serve a further group: a fact in the ledger that changes nothing by itself.

People may lay a proposal before an audit (`rehabcast audit --proposal ENTRY`). What it showed then
stands in for what the audit had too few people to show; harm that an audit finds stands, and the
audit is approved by two people and passes the gate like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from audits.ledger.evidence.once import append_once
from audits.ledger.evidence.restrictions import restricted_in
from audits.ledger.identity import TRIAL, Identities
from audits.ledger.records import Champion
from audits.ledger.trail import ENDS, PROPOSAL, RESTRICTION, Entry, utc
from contracts.errors import EvidenceMissing
from contracts.groups import GroupName
from contracts.naming.model_version import version_key
from contracts.verdict import ShownInService

LOOK = "`rehabcast ledger show` lists the proposals; `rehabcast monitor run` makes them"


def propose(
    engine: sa.Engine,
    champion: Champion,
    group: GroupName,
    rules: Sequence[str],
    *,
    evidence: Mapping[str, Any],
    actor: str,
    now: datetime,
    identities: Identities = TRIAL,
) -> bool:
    """Record that a group is proposed, once for all the time since the promotion.

    Parameters
    ----------
    rules
        Those that were shown to hold for it.
    evidence
        The e-values and what they rest on; nothing about a person.

    Returns
    -------
    Whether it is new.
    """
    details = {
        "attribute": group.attribute,
        "label": group.label,
        "rules": list(rules),
        "promoted_at": utc(champion.promoted_at),
        "bundle_digest": champion.bundle_digest,
        "policy_digest": champion.policy_digest,
        "evidence": dict(evidence),
    }
    return append_once(
        engine, champion, PROPOSAL, details, ("attribute", "label", "promoted_at"),
        actor=actor, now=now, identities=identities,
    )  # fmt: skip


def proposed_since(trail: Iterable[Entry], champion: Champion) -> dict[GroupName, Entry]:
    """Return the proposals of a champion since its promotion, by group."""
    since = utc(champion.promoted_at)
    return {
        _group(entry): entry
        for entry in trail
        if entry.kind == PROPOSAL
        and entry.about == champion.model_version
        and entry.details()["promoted_at"] == since
    }


def laid_before(
    trail: Sequence[Entry],
    numbers: Iterable[int],
    model_version: str,
    bundle_digest: str,
    policy_digest: str,
) -> tuple[ShownInService, ...]:
    """Return what some proposals show, for an audit of the same forecasts by the same rules.

    Parameters
    ----------
    trail
        The verified ledger.
    numbers
        Of their entries.
    model_version, bundle_digest, policy_digest
        What is audited, and by which policy.

    Raises
    ------
    EvidenceMissing
        One is no proposal, is about another version, other bytes or rules, or what came after it
        speaks against it: the version was taken out of service, or the group out of its scope.
    """
    by_number = {entry.sequence: entry for entry in trail}
    digests = {"bundle_digest": bundle_digest, "policy_digest": policy_digest}
    shown = []
    for number in dict.fromkeys(numbers):
        entry = by_number.get(number)
        if entry is None or entry.kind != PROPOSAL:
            raise EvidenceMissing(f"entry {number} of the ledger is no proposal", LOOK)
        _require(entry, model_version, digests)
        _require_unrefuted(entry, trail)
        details = entry.details()
        shown.append(
            ShownInService(
                attribute=details["attribute"], label=details["label"],
                rules=tuple(details["rules"]), entry=entry.sequence, digest=entry.hash,
            )
        )  # fmt: skip
    return tuple(shown)


def _require(entry: Entry, model_version: str, digests: Mapping[str, str]) -> None:
    """Check that a proposal is about a version, its bytes and the rules in force."""
    if version_key(entry.about) != version_key(model_version):
        raise EvidenceMissing(
            f"the proposal of entry {entry.sequence} is about {entry.about}, not {model_version}",
            LOOK,
        )
    other = [name for name, digest in digests.items() if entry.details()[name] != digest]
    if other:
        what = "another bundle" if "bundle_digest" in other else "another policy"
        raise EvidenceMissing(
            f"the proposal of entry {entry.sequence} rests on {what} than this audit",
            "what other forecasts or rules have shown counts for nothing here: audit without it",
        )


def _require_unrefuted(entry: Entry, trail: Sequence[Entry]) -> None:
    """Check that nothing later speaks against a proposal."""
    for later in trail:
        if later.sequence > entry.sequence and _speaks_against(later, entry):
            raise EvidenceMissing(
                f"after the proposal of entry {entry.sequence} came a {later.kind} (entry"
                f" {later.sequence})",
                "audit without it; new evidence begins with the next promotion",
            )


def _speaks_against(later: Entry, entry: Entry) -> bool:
    if version_key(later.about) != version_key(entry.about):
        return False
    if later.kind == RESTRICTION:
        names = {(each.attribute, each.label) for each in restricted_in(later)}
        group = _group(entry)
        return (group.attribute, group.label) in names
    return later.kind in ENDS


def _group(entry: Entry) -> GroupName:
    details = entry.details()
    return GroupName(attribute=details["attribute"], label=details["label"])
