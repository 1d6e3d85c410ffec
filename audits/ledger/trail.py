"""The trail: entries chained by SHA-256, to detect an edit, a gap or a changed order."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from audits.ledger.people import person_name
from audits.ledger.storage import trail_table
from contracts.digests import record_digest
from contracts.errors import ContractError, IntegrityError
from contracts.naming.model_version import version_key

AUDIT, APPROVAL, DRIFT, POLICY = "audit", "approval", "drift", "policy"
PROMOTION, ROLLBACK, REVOCATION = "promotion", "rollback", "revocation"
CHANGE_PLAN, PLAN_APPROVAL = "change plan", "plan approval"
FEDERATED_EXPORT, FEDERATED_AUDIT = "federated export", "federated audit"
RESTRICTION, SUSPENSION = "restriction", "suspension"
"""Kinds of entries by which outcomes that came later narrow or end a version's service; nothing
extends a scope but a new audit."""
WARNING = "warning"
"""Kind of an entry that says that something speaks against a version, and changes nothing."""
PROPOSAL = "proposal"
"""Kind of an entry that says that outcomes speak for serving another group, and changes nothing."""
CHAMPION_CHANGES = (PROMOTION, ROLLBACK, REVOCATION, RESTRICTION, SUSPENSION)
"""Kinds of entries that change the champion, or leave none."""
ENDS = (REVOCATION, SUSPENSION)
"""Kinds after which nothing is served."""
WITHDRAWALS = (*ENDS, RESTRICTION)
"""Kinds after which a version needs a new audit before it is promoted or rolled back to."""
WITHDRAWN = {REVOCATION: "revoked", SUSPENSION: "suspended", RESTRICTION: "restricted"}
"""How each is said of a version."""
UNDERSTOOD = frozenset(
    {AUDIT, APPROVAL, DRIFT, POLICY, CHANGE_PLAN, PLAN_APPROVAL, FEDERATED_EXPORT,
     FEDERATED_AUDIT, WARNING, PROPOSAL, *CHAMPION_CHANGES}
)  # fmt: skip
"""Kinds that this release can act on. A ledger with any other is not served from: what it withdraws
would be served on."""
GENESIS_HASH = "0" * 64
"""The previous hash of the first entry."""
IDENTITY, NOT_VERIFIED = "identity", "not verified"
"""Field of an entry's details that says who vouches for its actor, and its value if nobody does.
Entries from before there were identities have no such field."""

RESTORE = "restore the ledger from a backup, and find out who changed it"
"""What to do about a broken trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the trail.

    Parameters
    ----------
    sequence
        1, 2, 3, ... without gaps.
    time
        UTC, ISO 8601.
    kind, about, actor
        What happened, to which model version, by whom.
    payload
        Details, as canonical JSON.
    previous, hash
        Hash of the entry before, and of this one: SHA-256 of all other fields.
    """

    sequence: int
    time: str
    kind: str
    about: str
    actor: str
    payload: str
    previous: str
    hash: str

    def details(self) -> dict[str, Any]:
        """Return the payload."""
        details: dict[str, Any] = json.loads(self.payload)
        return details

    def at(self) -> datetime:
        """Return the time."""
        return datetime.fromisoformat(self.time)

    @property
    def is_champion_change(self) -> bool:
        """Whether it changes the champion, or leaves none."""
        return self.kind in CHAMPION_CHANGES


def append(
    connection: sa.Connection,
    *,
    kind: str,
    about: str,
    actor: str,
    now: datetime,
    details: Mapping[str, Any],
    identify: Callable[[Entry], Any] = lambda _: NOT_VERIFIED,
) -> Entry:
    """Append an entry, inside the caller's transaction.

    Parameters
    ----------
    identify
        Returns what the entry says about who made it: a signature (`audits.ledger.identity`), or
        that nobody has verified it.

    Raises
    ------
    ContractError
        Nobody is named as actor, the name cannot be used, or the time has no time zone.
    """
    if not actor.strip():
        raise ContractError("ledger: an entry needs the name of its author", "set REHABCAST_ACTOR")
    last = connection.execute(
        sa.select(trail_table.c.sequence, trail_table.c.hash)
        .order_by(trail_table.c.sequence.desc())
        .limit(1)
    ).one_or_none()
    unsealed = Entry(
        sequence=1 if last is None else last.sequence + 1,
        time=utc(now),
        kind=kind,
        about=about,
        actor=person_name(actor),
        payload=_canonical(details),
        previous=GENESIS_HASH if last is None else last.hash,
        hash="",
    )
    identified = replace(unsealed, payload=_canonical({**details, IDENTITY: identify(unsealed)}))
    entry = replace(identified, hash=_hash(identified))
    connection.execute(sa.insert(trail_table).values(asdict(entry)))
    return entry


def entries(connection: sa.Connection, kinds: Collection[str] | None = None) -> Iterator[Entry]:
    """Return the trail from its start, as it is stored; all of it, or the entries of some kinds."""
    query = sa.select(trail_table).order_by(trail_table.c.sequence)
    if kinds is not None:
        query = query.where(trail_table.c.kind.in_(kinds))
    for row in connection.execute(query):
        yield Entry(**row._mapping)


def latest(connection: sa.Connection, *, kind: str, about: str) -> Entry | None:
    """Return the last entry of a kind about a model version, in any spelling of it, or None."""
    row = connection.execute(
        sa.select(trail_table)
        .where(trail_table.c.kind == kind, trail_table.c.about.in_(_spellings(connection, about)))
        .order_by(trail_table.c.sequence.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Entry(**row._mapping)


def entries_of(connection: sa.Connection, *, kind: str, about: str | None = None) -> list[Entry]:
    """Return all entries of a kind, of one model version (in any spelling) or of all, in order."""
    query = sa.select(trail_table).where(trail_table.c.kind == kind)
    if about is not None:
        query = query.where(trail_table.c.about.in_(_spellings(connection, about)))
    rows = connection.execute(query.order_by(trail_table.c.sequence))
    return [Entry(**row._mapping) for row in rows]


def verified(stored: Iterator[Entry]) -> Iterator[Entry]:
    """Return the same entries, as long as each follows from the one before.

    Raises
    ------
    IntegrityError
        An entry was edited, lost or moved; its sequence number is named.
    """
    return verified_after(None, stored)


def verified_after(known: Entry | None, stored: Iterator[Entry]) -> Iterator[Entry]:
    """Return the entries after a known one, as long as each follows from the one before.

    Raises
    ------
    IntegrityError
        As `verified`.
    """
    before, last = (GENESIS_HASH, 0) if known is None else (known.hash, known.sequence)
    for entry in stored:
        if entry.sequence != last + 1:
            raise IntegrityError(
                f"ledger: entry {last + 1} is missing, {entry.sequence} follows", RESTORE
            )
        if entry.previous != before:
            raise IntegrityError(
                f"ledger: entry {entry.sequence} does not follow from {last}", RESTORE
            )
        if _hash(entry) != entry.hash:
            raise IntegrityError(f"ledger: entry {entry.sequence} was changed", RESTORE)
        before, last = entry.hash, entry.sequence
        yield entry


def utc(time: datetime) -> str:
    """Return a time as UTC in ISO 8601.

    Raises
    ------
    ContractError
        It has no time zone.
    """
    if time.tzinfo is None:
        raise ContractError(f"ledger: time {time} has no time zone", "give it with a UTC offset")
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _spellings(connection: sa.Connection, about: str) -> list[str]:
    """Return how a model version is written in the trail.

    New entries have the one spelling; a ledger from before that rule may have `arm/01` as well.
    """
    written = connection.execute(sa.select(trail_table.c.about).distinct()).scalars()
    meant = version_key(about)
    return [spelling for spelling in written if version_key(spelling) == meant]


def _canonical(details: Mapping[str, Any]) -> str:
    return json.dumps(details, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _hash(entry: Entry) -> str:
    return record_digest({name: value for name, value in asdict(entry).items() if name != "hash"})


def require(holds: bool, entry: Entry, what: str) -> None:
    """Refuse a ledger of which an entry says what does not hold; `what` is said of the entry.

    Raises
    ------
    IntegrityError
        It does not hold.
    """
    if not holds:
        raise IntegrityError(f"ledger: the {entry.kind} of entry {entry.sequence} {what}", RESTORE)
