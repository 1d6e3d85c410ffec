"""Checks that a verified trail is consistent: what rests on what, and who is champion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from audits.ledger.people import same_person
from audits.ledger.records import LedgerState, Role
from audits.ledger.trail import (
    APPROVAL,
    AUDIT,
    CHAMPION_CHANGES,
    PROMOTION,
    RESTORE,
    ROLLBACK,
    Entry,
)
from contracts.errors import IntegrityError

FROM_AUDIT = ("bundle_digest", "report_digest", "policy_digest", "outcome")
"""What a promotion takes over from the audit that it rests on."""


def check_promotions(stored: Iterable[Entry]) -> None:
    """Check that each promotion rests on the last audit of its version, and on two approvals.

    Raises
    ------
    IntegrityError
        One rests on no audit, on other bytes or another outcome, or on one person alone.
    """
    audits: dict[str, Entry] = {}
    approvals: dict[tuple[str, int, str], set[str]] = {}
    promoted: dict[str, list[dict[str, Any]]] = {}
    for entry in stored:
        details = entry.details()
        if entry.kind == AUDIT:
            audits[entry.about] = entry
        elif entry.kind == APPROVAL:
            key = (entry.about, details["audit"], details["role"])
            approvals.setdefault(key, set()).add(entry.actor)
        elif entry.kind == PROMOTION:
            _check_promotion(entry, audits.get(entry.about), approvals)
            promoted.setdefault(details["champion"]["model"], []).append(details["champion"])
        elif entry.kind == ROLLBACK:
            _check_rollback(entry, promoted.get(details["champion"]["model"], []))


def _check_promotion(
    entry: Entry, audit: Entry | None, approvals: Mapping[tuple[str, int, str], set[str]]
) -> None:
    champion = entry.details()["champion"]
    audited = {} if audit is None else audit.details()
    if any(champion[name] != audited.get(name) for name in FROM_AUDIT):
        raise IntegrityError(
            f"ledger: the promotion of entry {entry.sequence} has no audit", RESTORE
        )
    sequence = 0 if audit is None else audit.sequence
    people = {"ml_owner": Role.ML_OWNER, "governance": Role.GOVERNANCE}
    for name, role in people.items():
        if champion[name] not in approvals.get((entry.about, sequence, role), set()):
            raise IntegrityError(
                f"ledger: the promotion of entry {entry.sequence} has no approval as {role}",
                RESTORE,
            )
    if same_person(champion["ml_owner"], champion["governance"]):
        raise IntegrityError(f"ledger: one person alone approved entry {entry.sequence}", RESTORE)


def _check_rollback(entry: Entry, promoted: Sequence[Mapping[str, Any]]) -> None:
    champion = entry.details()["champion"]
    kept = (*FROM_AUDIT, "version", "ml_owner", "governance", "approver", "restricted_use")
    if not any(all(earlier[name] == champion[name] for name in kept) for earlier in promoted):
        raise IntegrityError(
            f"ledger: the rollback of entry {entry.sequence} is to no earlier promotion", RESTORE
        )


def check_champions(stored: Iterable[Entry], rows: Iterable[Mapping[str, Any]]) -> None:
    """Check that each champion is what the last change in the trail says.

    Raises
    ------
    IntegrityError
        One was edited, removed or added without an entry.
    """
    recorded: dict[str, dict[str, Any]] = {}
    for entry in stored:
        if entry.kind in CHAMPION_CHANGES:
            champion = entry.details()["champion"] | {"sequence": entry.sequence}
            recorded[champion["model"]] = champion
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
