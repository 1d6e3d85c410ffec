"""The ledger: which version is the champion, and the append-only trail of how it came to be.

Each entry of the trail carries the hash of the one before, so that an edit, a loss in the middle
or a changed order shows. What a chain cannot show by itself is a cut tail, or a rewriting of all
that follows an entry by someone who may write to the database: keep a `LedgerState` elsewhere (a
mail, a second system) and hand it to `Ledger.verify` as the anchor.

SQLite by default, PostgreSQL by URL. SQLite refuses changes of the trail by trigger; in PostgreSQL
revoke UPDATE and DELETE on `trail` from the role that rehabcast runs under.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from audits.records import (
    AuditRecord,
    Champion,
    LedgerState,
    audit_details,
    audit_of,
    champion_fields,
    champion_of,
    check_champions,
    check_promotions,
    split_version,
)
from audits.storage import champion_table, open_database, reading, write
from audits.trail import AUDIT, PROMOTION, append, checked, entries, latest, utc
from contracts.errors import ContractError, EvidenceMissing, IntegrityError, PromotionRefused
from contracts.verdict import Verdict

__all__ = ["AuditRecord", "Champion", "Ledger", "LedgerState"]


class Ledger:
    """Opens the ledger at a database URL, making it where there is none.

    Raises
    ------
    ServiceUnavailable
        It cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_database(url)

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()

    def record_audit(
        self,
        verdict: Verdict,
        report_digest: str,
        *,
        actor: str,
        now: datetime,
        valid_until: datetime,
    ) -> AuditRecord:
        """Append an audit to the trail; it replaces earlier ones of the version at the gate.

        Raises
        ------
        ContractError
            The times have no zone or do not rise, nobody is named, or the model version is not
            `NAME/N`.
        """
        split_version(verdict.model_version)
        if utc(valid_until) <= utc(now):
            raise ContractError(f"ledger: an audit that holds until {valid_until} is over")
        details = audit_details(verdict, report_digest, valid_until)
        about = verdict.model_version
        return write(
            self._engine,
            lambda connection: audit_of(
                append(connection, kind=AUDIT, about=about, actor=actor, now=now, details=details)
            ),
        )

    def latest_audit(
        self, model_version: str, bundle_digest: str | None = None
    ) -> AuditRecord | None:
        """Return a version's last audit; None where it has none, or it was of another bundle."""
        with reading(self._engine) as connection:
            entry = latest(connection, kind=AUDIT, about=model_version)
        if entry is None:
            return None
        audit = audit_of(entry)
        return audit if bundle_digest in {None, audit.bundle_digest} else None

    def epoch(self, model: str) -> int:
        """Return how many promotions a model has seen."""
        with reading(self._engine) as connection:
            return _epoch(connection, model)

    def promote(
        self,
        audit: AuditRecord,
        *,
        seen_epoch: int,
        actor: str,
        now: datetime,
        approver: str | None = None,
        reason: str | None = None,
    ) -> Champion:
        """Make an audited version the champion, if nothing has changed since it was looked at.

        The champion and its entry in the trail are written in one transaction. Only `audits.gate`
        calls this; the database itself refuses a failed audit, and one without override that is
        not a pass.

        Raises
        ------
        PromotionRefused
            Another promotion of the model, or another audit of the version, came first.
        """
        model, version = split_version(audit.model_version)
        champion = Champion(
            model=model,
            version=version,
            epoch=seen_epoch + 1,
            bundle_digest=audit.bundle_digest,
            report_digest=audit.report_digest,
            outcome=audit.outcome,
            approver=approver,
            reason=reason,
            promoted_at=datetime.fromisoformat(utc(now)),
            valid_until=audit.valid_until,
            sequence=0,
        )
        return write(
            self._engine, lambda connection: _promote(connection, champion, audit, actor=actor)
        )

    def champion(self, model: str | None = None) -> Champion:
        """Return a model's champion; without a model, the one promoted last.

        Raises
        ------
        EvidenceMissing
            There is none yet.
        """
        query = sa.select(champion_table).order_by(champion_table.c.sequence.desc()).limit(1)
        if model is not None:
            query = query.where(champion_table.c.model == model)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            of = "" if model is None else f" of {model!r}"
            raise EvidenceMissing(
                f"the ledger has no champion{of}: run `rehabcast promote NAME/N` after its audit"
            )
        return champion_of(dict(row._mapping))

    def verify(self, anchor: LedgerState | None = None) -> LedgerState:
        """Recompute the whole trail, and compare the champions with it.

        Parameters
        ----------
        anchor
            A state kept elsewhere: the trail must still contain it. Without one, a cut tail cannot
            be noticed unless a champion rests on it.

        Raises
        ------
        IntegrityError
            An entry was edited, lost or moved, a promotion rests on no audit, or a champion is
            not what the trail says.
        """
        with reading(self._engine) as connection:
            stored = list(checked(entries(connection)))
            rows = connection.execute(sa.select(champion_table)).all()
        check_promotions(stored)
        check_champions(stored, [dict(row._mapping) for row in rows])
        if anchor is not None and anchor.length > 0:
            if len(stored) < anchor.length:
                raise IntegrityError(f"ledger: cut after entry {len(stored)} of {anchor.length}")
            if stored[anchor.length - 1].hash != anchor.head:
                raise IntegrityError(f"ledger: rewritten up to entry {anchor.length}")
        head = stored[-1].hash if stored else ""
        return LedgerState(length=len(stored), head=head)


def _promote(
    connection: sa.Connection, champion: Champion, audit: AuditRecord, *, actor: str
) -> Champion:
    about = champion.model_version
    current = latest(connection, kind=AUDIT, about=about)
    if current is None or audit_of(current) != audit:
        raise PromotionRefused(f"{about}: another audit was recorded meanwhile; look and try again")
    details = champion_fields(champion)
    del details["sequence"]  # It is the entry's own, known only once it is appended.
    entry = append(
        connection,
        kind=PROMOTION,
        about=about,
        actor=actor,
        now=champion.promoted_at,
        details=details,
    )
    placed = replace(champion, sequence=entry.sequence)
    if not _swapped(connection, placed):
        raise PromotionRefused(
            f"{about}: another promotion of {champion.model} came first; look and try again"
        )
    return placed


def _swapped(connection: sa.Connection, champion: Champion) -> bool:
    """Write a champion over the one whose epoch was seen; tell whether that one was still there."""
    seen, fields = champion.epoch - 1, champion_fields(champion)
    if seen == 0:
        if _epoch(connection, champion.model) != 0:
            return False
        connection.execute(sa.insert(champion_table).values(fields))
        return True
    columns = champion_table.c
    updated = connection.execute(
        sa.update(champion_table)
        .where(columns.model == champion.model, columns.epoch == seen)
        .values(fields)
    )
    return updated.rowcount == 1


def _epoch(connection: sa.Connection, model: str) -> int:
    query = sa.select(champion_table.c.epoch).where(champion_table.c.model == model)
    return connection.execute(query).scalar_one_or_none() or 0
