"""What a verified trail says against each promotion: whether its terms still let a version serve.

Time is no part of it: an end of validity stands in the champion itself, and whoever serves compares
it with the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audits.ledger.records import scope_of
from audits.ledger.trail import AUDIT, CHAMPION_CHANGES, ENDS, PROMOTION, REVOCATION, Entry
from contracts.naming.model_version import version_key
from contracts.verdict import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why a version may not be served on the terms of a promotion or rollback, and what to do."""

    reason: str
    what_to_do: str


def objections(stored: Sequence[Entry], model: str | None = None) -> dict[int, Objection]:
    """Return what stands against each change of the champion, by the number of its entry.

    A change with no objection lets its version serve: as the champion; or, where promotions alone
    came after it, until the champion that replaced it is loaded. After a rollback or a revocation
    nothing from before may serve: either says that what was in service shall be so no longer.

    Parameters
    ----------
    stored
        The whole trail, verified.
    model
        Whose champion is followed; None where it is the one changed last, of any model.
    """
    changes = [
        entry
        for entry in stored
        if entry.kind in CHAMPION_CHANGES and model in {None, entry.details()["champion"]["model"]}
    ]
    # By version, whatever its spelling: an older ledger may have `arm/01` beside `arm/1`.
    last_audits = {version_key(entry.about): entry for entry in stored if entry.kind == AUDIT}
    by_report = {e.details()["report_digest"]: e for e in stored if e.kind == AUDIT}
    revoked = {version_key(entry.about): entry for entry in stored if entry.kind in ENDS}
    found: dict[int, Objection] = {}
    for position, entry in enumerate(changes):
        objection = (
            _revocation(entry, revoked.get(version_key(entry.about)))
            or _audit(
                entry,
                last_audits.get(version_key(entry.about)),
                by_report.get(entry.details()["champion"]["report_digest"]),
            )
            or _replacement(entry, changes[position + 1 :])
        )
        if objection is not None:
            found[entry.sequence] = objection
    return found


def _revocation(change: Entry, revocation: Entry | None) -> Objection | None:
    if revocation is None or revocation.sequence < change.sequence:
        return None
    why = revocation.details()["champion"]["revoked"]
    return Objection(
        reason=f"{change.about} was"
        f" {'revoked' if revocation.kind == REVOCATION else 'suspended'} ({why})",
        what_to_do="roll back or promote another version",
    )


def _audit(change: Entry, audit: Entry | None, promoted_on: Entry | None) -> Objection | None:
    """Compare the last audit of a version with the outcome that its promotion rests on.

    A pass for all whom the promotion lets it be served to, or the very outcome that a named person
    answered for, leaves it in service; nobody has answered for any other.
    """
    champion = change.details()["champion"]
    details: dict[str, Any] = {} if audit is None else audit.details()
    if details.get("bundle_digest") != champion["bundle_digest"]:
        return Objection(
            reason=f"{change.about}: its last audit was of a different bundle",
            what_to_do="audit, approve and promote the bundle that is to be served",
        )
    outcome = Outcome(details["outcome"])
    if outcome.is_pass:
        return _narrower(change, details, promoted_on)
    if outcome == champion["outcome"]:
        return None
    return Objection(
        reason=f"{change.about}: the outcome of its last audit is {outcome}",
        what_to_do="promote a version that passes, or have a named person answer for this one"
        if outcome != Outcome.BLOCKED
        else "promote a version that passes",
    )


def _narrower(
    change: Entry, audited: dict[str, Any], promoted_on: Entry | None
) -> Objection | None:
    """Compare the scope of the last audit with that of the audit that a promotion rests on."""
    served = None if promoted_on is None else scope_of(promoted_on.details())
    shown = scope_of(audited)
    # An override lets a version be served to everyone, and so did a pass before scopes.
    if shown is None or (shown.is_everyone if served is None else shown.covers(served)):
        return None
    return Objection(
        reason=f"{change.about}: its last audit passed for fewer people than it is served to",
        what_to_do="approve and promote it again: it will be served within the new scope",
    )


def _replacement(change: Entry, later: Sequence[Entry]) -> Objection | None:
    for entry in later:
        champion = entry.details()["champion"]
        if entry.kind != PROMOTION:
            return Objection(
                reason=f"{change.about} was replaced by a {entry.kind} (entry {entry.sequence})",
                what_to_do="roll back or promote another version",
            )
        if entry.about == change.about and champion["approver"] is not None:
            return Objection(
                reason=f"{change.about} may be served on other terms only (entry {entry.sequence})",
                what_to_do="wait until the service has loaded it on those terms",
            )
    return None
