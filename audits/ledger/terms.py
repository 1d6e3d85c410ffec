"""Checks of the terms that a change of the champion is made on: until when, by whom, for which use.

What rests on what is checked in `audits.ledger.consistency`; here, that nothing is granted longer
or on other terms than audit, override and gate allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from audits.ledger.trail import APPROVAL, AUDIT, PROMOTION, ROLLBACK, Entry, require
from contracts.naming.model_version import version_key
from contracts.verdict import Outcome

OVERRIDE = ("approver", "reason", "override_until", "restricted_use")


def check_terms(stored: Sequence[Entry]) -> None:
    """Check the terms of audits, approvals, promotions and rollbacks.

    Raises
    ------
    IntegrityError
        An approval is of another report than the audit that it names; a promotion or rollback was
        made outside of its audit's or override's validity, or is valid longer; an override has no
        approver, reason, end or use, or the audit passed; or a rollback is to a version whose audit
        was replaced.
    """
    audits: dict[str, Entry] = {}
    by_number: dict[int, Entry] = {}
    for entry in stored:
        if entry.kind == AUDIT:
            _check_audit(entry)
            audits[entry.about] = by_number[entry.sequence] = entry
        elif entry.kind == APPROVAL:
            _check_approval(entry, by_number.get(entry.details()["audit"]))
        elif entry.kind in {PROMOTION, ROLLBACK}:
            audit = audits.get(entry.about)
            require(audit is not None, entry, "has no audit")
            if audit is not None:
                _check_change(entry, audit)


def _check_audit(entry: Entry) -> None:
    details = entry.details()
    require(details["model_version"] == entry.about, entry, "is of another version")
    begin, end = (datetime.fromisoformat(time) for time in (entry.time, details["valid_until"]))
    require(begin < end, entry, "was never valid")


def _check_approval(entry: Entry, audit: Entry | None) -> None:
    details = entry.details()
    require(
        audit is not None
        and version_key(audit.about) == version_key(entry.about)
        and audit.details()["report_digest"] == details["report_digest"],
        entry,
        "is of no report that was audited",
    )


def _check_change(entry: Entry, audit: Entry) -> None:
    champion, audited = entry.details()["champion"], audit.details()
    # By joining, not by formatting: a version that is a number would read the same.
    about = "/".join((champion["model"], champion["version"]))
    require(about == entry.about, entry, "is of another version")
    require(
        champion["report_digest"] == audited["report_digest"],
        entry,
        "rests on an audit that a later one replaced",
    )
    given = [name for name in OVERRIDE if champion[name] is not None]
    expected = [] if Outcome(champion["outcome"]).is_pass else list(OVERRIDE)
    require(given == expected, entry, "has an override where the audit passed, or none")
    require(champion["promoted_at"] == entry.time, entry, "was made at another time")
    require(champion["valid_until"] == _end(champion, audited), entry, "is valid too long")
    require(
        entry.kind == ROLLBACK or entry.details()["audit"] == audit.sequence,
        entry,
        "names another audit",
    )
    now = datetime.fromisoformat(entry.time)
    begin = datetime.fromisoformat(audit.time)
    end = datetime.fromisoformat(champion["valid_until"])
    require(begin <= now < end, entry, "was made while its audit or override was not valid")


def _end(champion: Mapping[str, Any], audited: Mapping[str, Any]) -> str:
    """Return until when a champion may be valid: as long as its audit, and its override if any."""
    ends = [audited["valid_until"], champion["override_until"]]
    return str(min((end for end in ends if end is not None), key=datetime.fromisoformat))
