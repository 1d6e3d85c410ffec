"""A ledger that is read again and again, and verified each time, by a process that serves from it.

What was verified once is kept: an edit of the database is found and never believed. At each
reading the new entries are verified, a part of the old ones is compared with what they were, and
the champions are compared with the trail. An edit of an old entry is found within `PARTS` readings;
one of a champion, or a cut tail, at the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from audits.ledger.consistency import (
    check_anchor,
    check_champions,
    check_entries,
    recorded_champions,
)
from audits.ledger.evidence.restrictions import Restricted, restrictions
from audits.ledger.objections import Objection, objections
from audits.ledger.people import People
from audits.ledger.records import AuditRecord, Champion, LedgerState, audit_of, champion_of
from audits.ledger.storage import champion_table, trail_table
from audits.ledger.trail import AUDIT, RESTORE, Entry, utc, verified_after
from contracts.errors import ContractError, IntegrityError
from stores.database import reading

PARTS = 5
"""Readings within which every old entry was compared once."""

LEAST_COMPARED = 1_000
"""Entries compared at each reading, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReading:
    """What a verified ledger says.

    Parameters
    ----------
    hashes
        Of all entries, oldest first.
    latest
        The latest time that an entry names; None where there is no entry.
    champion
        The champion that is followed, revoked or not; None where there is none.
    objections
        Why a promotion may not be served from any more, by the number of its entry.
    changes
        All champions that ever were, by the number of their entry.
    last_audits
        The last audit of each version.
    by_report
        All audits, by the digest of their report: what a promotion rests on.
    restricted
        Groups that outcomes have taken out of scope, by the number of the champion's entry.
    """

    hashes: Sequence[str]
    latest: datetime | None
    champion: Champion | None
    objections: Mapping[int, Objection]
    changes: Mapping[int, Champion]
    last_audits: Mapping[str, AuditRecord]
    by_report: Mapping[str, AuditRecord]
    restricted: Mapping[int, tuple[Restricted, ...]] = field(default_factory=dict)

    @property
    def epochs(self) -> dict[str, int]:
        """How often the champion of each model has changed."""
        return {champion.model: champion.epoch for champion in self.changes.values()}


NOTHING_READ = VerifiedReading(
    hashes=(), latest=None, champion=None, objections={}, changes={}, last_audits={}, by_report={}
)


class FollowedTrail:
    """The trail as it was verified so far; for one thread, but a copy of it is another's.

    Parameters
    ----------
    model
        Whose champion is followed; None for the one changed last, of any model.
    people
        Public keys of all people, where several share the ledger; None in a one-person trial.
    """

    def __init__(self, model: str | None, *, people: People | None) -> None:
        self._model, self._people = model, people
        self._stored: list[Entry] = []
        self._recorded: dict[str, dict[str, Any]] = {}
        self._reading = NOTHING_READ
        self._next_compared = 0

    def verify_by(self, people: People | None) -> None:
        """Verify the signatures of all entries again, where the people or their keys have changed.

        Raises
        ------
        IntegrityError, EvidenceMissing
            As `read`; the same again at each call, until the keys are those that signed.
        """
        if people == self._people:
            return
        if self._stored:
            check_entries(self._stored, people)
        self._people = people

    def read(
        self, engine: sa.Engine, anchor: LedgerState | None = None, *, whole: bool = False
    ) -> VerifiedReading:
        """Read the ledger again, and verify it.

        Parameters
        ----------
        anchor
            A signed state kept elsewhere, which the ledger must contain.
        whole
            Compare all old entries, and not a part: for a file that was replaced.

        Raises
        ------
        IntegrityError
            An entry was edited, lost or moved, even one seen earlier; the trail is shorter than it
            was; a promotion rests on no audit or approval, or on one that nobody signed where
            people have keys; or a champion differs from the trail.
        EvidenceMissing
            Entries are signed, and no keys of people were given.
        """
        start, stop = self._compared(whole)
        columns = trail_table.c
        with reading(engine) as connection:
            if not sa.inspect(connection).has_table(trail_table.name):
                raise IntegrityError("ledger: it has no trail any more", RESTORE)
            length = connection.execute(
                sa.select(sa.func.count()).select_from(trail_table)
            ).scalar_one()
            old = connection.execute(
                sa.select(trail_table)
                .where(
                    sa.or_(
                        sa.and_(columns.sequence > start, columns.sequence <= stop),
                        columns.sequence == len(self._stored),
                    )
                )
                .order_by(columns.sequence)
            ).all()
            new = connection.execute(
                sa.select(trail_table)
                .where(columns.sequence > len(self._stored))
                .order_by(columns.sequence)
            ).all()
            rows = connection.execute(sa.select(champion_table)).all()
        if length < len(self._stored):
            raise IntegrityError(
                f"ledger: it has {length} entries, and had {len(self._stored)} before", RESTORE
            )
        self._compare([Entry(**row._mapping) for row in old], start, stop)
        # What is new was verified just now: old entries wait for their turn no longer for it.
        self._next_compared = 0 if stop == len(self._stored) else stop
        if new:
            self._extend([Entry(**row._mapping) for row in new])
        check_champions(self._recorded, [dict(row._mapping) for row in rows])
        check_anchor(self._stored, anchor)
        return self._reading

    def _compared(self, whole: bool) -> tuple[int, int]:
        """Return which old entries to compare this time, (start, stop]."""
        # One part fewer, because the trail may grow while its parts are compared.
        size = max(LEAST_COMPARED, math.ceil(len(self._stored) / (PARTS - 1)))
        start = 0 if whole else self._next_compared
        return start, len(self._stored) if whole else min(start + size, len(self._stored))

    def _compare(self, found: Sequence[Entry], start: int, stop: int) -> None:
        expected = self._stored[start:stop]
        if stop != len(self._stored):
            expected = [*expected, self._stored[-1]]
        by_number = {entry.sequence: entry for entry in found}
        for entry in expected:
            if by_number.get(entry.sequence) != entry:
                raise IntegrityError(
                    f"ledger: entry {entry.sequence} is not what it was before", RESTORE
                )

    def _extend(self, new: Sequence[Entry]) -> None:
        """Verify new entries, and keep them; nothing is kept where anything is wrong."""
        before = self._stored[-1] if self._stored else None
        stored = [*self._stored, *verified_after(before, iter(new))]
        try:
            check_entries(stored, self._people)
            recorded = recorded_champions(stored)
            read = _reading_of(stored, self._model)
        except (ContractError, KeyError, TypeError, ValueError, AttributeError) as error:
            # Its hash is right: somebody wrote an entry that rehabcast does not write.
            raise IntegrityError(
                f"ledger: an entry after {len(self._stored)} cannot be read"
                f" ({type(error).__name__})",
                RESTORE,
            ) from error
        self._stored, self._recorded, self._reading = stored, recorded, read


def _reading_of(stored: Sequence[Entry], model: str | None) -> VerifiedReading:
    changes = {
        entry.sequence: champion_of({**entry.details()["champion"], "sequence": entry.sequence})
        for entry in stored
        if entry.is_champion_change
    }
    audits = [audit_of(entry) for entry in stored if entry.kind == AUDIT]
    followed = [champion for champion in changes.values() if model in {None, champion.model}]
    return VerifiedReading(
        hashes=[entry.hash for entry in stored],
        latest=max(datetime.fromisoformat(utc(entry.at())) for entry in stored),
        champion=followed[-1] if followed else None,
        objections=objections(stored, model),
        changes=changes,
        last_audits={audit.model_version: audit for audit in audits},
        by_report={audit.report_digest: audit for audit in audits},
        restricted=restrictions(stored),
    )
