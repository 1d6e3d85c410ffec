"""Checks that a verified trail is consistent: what rests on what, and who is champion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from audits.ledger.changes.plans import check_plans
from audits.ledger.evidence.restrictions import check_restrictions
from audits.ledger.identity import check_identities
from audits.ledger.people import People, same_person
from audits.ledger.records import LedgerState, Role
from audits.ledger.terms import check_terms
from audits.ledger.trail import (
    APPROVAL,
    AUDIT,
    CHAMPION_CHANGES,
    ENDS,
    PROMOTION,
    RESTORE,
    ROLLBACK,
    UNDERSTOOD,
    WITHDRAWALS,
    Entry,
)
from contracts.errors import IntegrityError
from contracts.verdict import Outcome

FROM_AUDIT = ("bundle_digest", "report_digest", "policy_digest", "outcome")
"""What a promotion takes over from the audit that it rests on."""

KEPT = (
    *FROM_AUDIT, "version", "ml_owner", "governance", "approver", "reason", "override_until",
    "restricted_use", "valid_until",
)  # fmt: skip
"""What a rollback takes over from the promotion that it goes back to."""


def check_entries(stored: Sequence[Entry], people: People | None) -> None:
    """Check the entries of a verified trail: who signed them, and that each follows from others.

    Parameters
    ----------
    people
        Public keys of all people; None in a one-person trial.

    Raises
    ------
    IntegrityError
        As `audits.ledger.identity.check_identities`, `check_promotions`,
        `audits.ledger.terms.check_terms`, `audits.ledger.changes.plans.check_plans` and
        `audits.ledger.evidence.restrictions.check_restrictions`; or an entry has a right hash, but
        is none that rehabcast writes.
    EvidenceMissing
        Entries are signed, and no keys of people were given.
    """
    try:
        check_identities(stored, people)
        check_promotions(stored)
        check_terms(stored)
        check_plans(stored)
        check_restrictions(stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(
            f"ledger: an entry cannot be read ({type(error).__name__})", RESTORE
        ) from error


def check_promotions(stored: Iterable[Entry]) -> None:
    """Check that each change of a champion is one that the gate would have allowed.

    A promotion rests on the last audit of its version, on two approvals, and without a pass on an
    override; a rollback on an earlier promotion; neither on one from before a revocation of the
    version. Each change of a model's champion adds 1 to its epoch.

    Raises
    ------
    IntegrityError
        One does not.
    """
    audits: dict[str, Entry] = {}
    revoked: dict[str, int] = {}
    epochs: dict[str, int] = {}
    approvals: dict[tuple[str, int, str], set[str]] = {}
    promoted: dict[str, list[dict[str, Any]]] = {}
    for entry in stored:
        if entry.kind not in UNDERSTOOD:
            raise IntegrityError(
                f"ledger: this release does not know entries like the {entry.kind} of entry"
                f" {entry.sequence}, and serves nothing that it may have withdrawn",
                "update rehabcast; if no newer release has used this ledger, " + RESTORE,
            )
        details = entry.details()
        if entry.kind in CHAMPION_CHANGES:
            _check_epoch(entry, epochs)
        if entry.kind == AUDIT:
            audits[entry.about] = entry
        elif entry.kind == APPROVAL:
            key = (entry.about, details["audit"], details["role"])
            approvals.setdefault(key, set()).add(entry.actor)
        elif entry.kind == PROMOTION:
            _check_promotion(entry, audits.get(entry.about), approvals, revoked)
            promoted.setdefault(details["champion"]["model"], []).append(
                details["champion"] | {"sequence": entry.sequence}
            )
        elif entry.kind == ROLLBACK:
            _check_rollback(entry, promoted.get(details["champion"]["model"], []), revoked)
        elif entry.kind in WITHDRAWALS:
            revoked[entry.about] = entry.sequence


def _check_epoch(entry: Entry, epochs: dict[str, int]) -> None:
    champion = entry.details()["champion"]
    if (
        f"{champion['model']}/{champion['version']}" != entry.about
        or champion["epoch"] != epochs.get(champion["model"], 0) + 1
        or (champion["revoked"] is None) is (entry.kind in ENDS)
    ):
        raise IntegrityError(
            f"ledger: entry {entry.sequence} does not follow from the champion before", RESTORE
        )
    epochs[champion["model"]] = champion["epoch"]


def _check_promotion(
    entry: Entry,
    audit: Entry | None,
    approvals: Mapping[tuple[str, int, str], set[str]],
    revoked: Mapping[str, int],
) -> None:
    champion = entry.details()["champion"]
    audited = {} if audit is None else audit.details()
    if any(champion[name] != audited.get(name) for name in FROM_AUDIT):
        raise IntegrityError(
            f"ledger: the promotion of entry {entry.sequence} has no audit", RESTORE
        )
    outcome = Outcome(champion["outcome"])
    if outcome.is_pass is not (champion["approver"] is None) or outcome is Outcome.BLOCKED:
        raise IntegrityError(
            f"ledger: the promotion of entry {entry.sequence} is of an audit that did not pass",
            RESTORE,
        )
    sequence = 0 if audit is None else audit.sequence
    if revoked.get(entry.about, 0) > sequence:
        raise IntegrityError(
            f"ledger: the promotion of entry {entry.sequence} is of a version revoked since its"
            " audit",
            RESTORE,
        )
    people = {"ml_owner": Role.ML_OWNER, "governance": Role.GOVERNANCE}
    for name, role in people.items():
        if champion[name] not in approvals.get((entry.about, sequence, role), set()):
            raise IntegrityError(
                f"ledger: the promotion of entry {entry.sequence} has no approval as {role}",
                RESTORE,
            )
    if same_person(champion["ml_owner"], champion["governance"]):
        raise IntegrityError(f"ledger: one person alone approved entry {entry.sequence}", RESTORE)


def _check_rollback(
    entry: Entry, promoted: Sequence[Mapping[str, Any]], revoked: Mapping[str, int]
) -> None:
    champion = entry.details()["champion"]
    revoked_at = revoked.get(entry.about, 0)
    if not any(
        all(earlier[name] == champion[name] for name in KEPT) and earlier["sequence"] > revoked_at
        for earlier in promoted
    ):
        raise IntegrityError(
            f"ledger: the rollback of entry {entry.sequence} is to no earlier promotion that still"
            " stands",
            RESTORE,
        )


def recorded_champions(stored: Iterable[Entry]) -> dict[str, dict[str, Any]]:
    """Return each model's champion as the last change in the trail says it."""
    recorded: dict[str, dict[str, Any]] = {}
    for entry in stored:
        if entry.kind in CHAMPION_CHANGES:
            champion = entry.details()["champion"] | {"sequence": entry.sequence}
            recorded[champion["model"]] = champion
    return recorded


def check_champions(
    recorded: Mapping[str, Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Check that each champion is what the last change in the trail says.

    Raises
    ------
    IntegrityError
        One was edited, removed or added without an entry.
    """
    stored_rows = {str(row["model"]): dict(row) for row in rows}
    for model in sorted(recorded.keys() | stored_rows.keys()):
        if recorded.get(model) != stored_rows.get(model):
            origin = f"entry {recorded[model]['sequence']}" if model in recorded else "any entry"
            raise IntegrityError(
                f"ledger: the champion of {model!r} is not that of {origin}", RESTORE
            )


def check_anchor(stored: Sequence[Entry], anchor: LedgerState | None) -> None:
    """Check that a trail still contains a state that was kept elsewhere.

    Raises
    ------
    IntegrityError
        It was cut, or rewritten up to there.
    """
    if anchor is None or anchor.length == 0:
        return
    if len(stored) < anchor.length:
        raise IntegrityError(f"ledger: cut after entry {len(stored)} of {anchor.length}", RESTORE)
    if stored[anchor.length - 1].hash != anchor.head:
        raise IntegrityError(f"ledger: rewritten up to entry {anchor.length}", RESTORE)
