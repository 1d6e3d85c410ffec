"""What a monthly edition says of entries of the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from audits.judging.wording import group_in_words
from audits.ledger.evidence.restrictions import restricted_in
from audits.ledger.trail import (
    APPROVAL,
    PROPOSAL,
    RESTRICTION,
    REVOCATION,
    SUSPENSION,
    WARNING,
    Entry,
)
from rehabcast.evidence.running import WHO_COMES


def said_of(entry: Entry) -> str:
    """Say what an entry adds to its kind; of e-values nothing, as they are of single weeks."""
    details = entry.details()
    if entry.kind == RESTRICTION:
        return "; ".join(
            f"no longer for {group_in_words(each.attribute, each.label)} ({', '.join(each.rules)})"
            for each in restricted_in(entry)
        )
    if entry.kind == WARNING:
        named = _shifts_in if details["what"] == WHO_COMES else _rules_in
        return "; ".join((f"of {details['what']}", *named(details["evidence"])))
    if entry.kind == PROPOSAL:
        return f"{group_in_words(details['attribute'], details['label'])} may be served: for people"
    if entry.kind == SUSPENSION:
        return "; ".join(_rules_in(details["evidence"])) or "of all tests together"
    if entry.kind == APPROVAL:
        return f"as {details['role']}: {details['reason']}"
    if entry.kind == REVOCATION:
        return str(details["champion"]["revoked"])
    return str(details.get("outcome", ""))


def _rules_in(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rules that outcomes speak against, of whom, and the side."""
    for each in evidence["tests"]:
        milestone = "" if each["milestone"] is None else f" ({each['milestone']})"
        who = group_in_words(each["attribute"], each["group"])
        yield f"{each['rule']}{milestone}, {who}: {each['side']}"


def _shifts_in(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is otherwise of whom comes, and how."""
    for each in evidence["foremost"]:
        who = group_in_words(each["attribute"], each["group"])
        yield f"{each['quantity']}, {who}: {each['direction']}"
