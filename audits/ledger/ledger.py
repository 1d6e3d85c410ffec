"""The ledger: which version is the champion, and the append-only trail of how it came to be.

Each entry of the trail carries the hash of the one before, so that an edit, a loss in the middle
or a changed order shows. What a chain cannot show by itself is a cut tail, or a rewriting of all
that follows an entry by someone who may write to the database: keep a signed `LedgerState`
elsewhere (a mail, a second system) and hand it to `Ledger.verify` as the anchor.

SQLite by default, PostgreSQL by URL; triggers refuse changes of the trail in both.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from audits.ledger.consistency import check_anchor, check_champions, check_promotions
from audits.ledger.promotions import (
    approvals_of,
    approvers,
    current,
    epoch_of,
    freeze,
    move,
    promoted_at_epoch,
)
from audits.ledger.records import (
    Approval,
    AuditRecord,
    Champion,
    LedgerState,
    Override,
    Role,
    approval_of,
    audit_details,
    audit_of,
    champion_of,
    explained,
    new_champion,
    split_version,
)
from audits.ledger.storage import champion_table, open_database
from audits.ledger.trail import (
    APPROVAL,
    AUDIT,
    PROMOTION,
    REVOCATION,
    ROLLBACK,
    Entry,
    append,
    checked,
    entries,
    latest,
    utc,
)
from contracts.errors import ContractError, EvidenceMissing, PromotionRefused
from contracts.verdict import Verdict
from stores.database import reading, write


class Ledger:
    """Opens the ledger at a database URL, making it where there is none.

    Raises
    ------
    ServiceUnavailable
        It cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_database(url)

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()

    def freeze_policy(self, version: str, digest: str, *, actor: str, now: datetime) -> None:
        """Append the digest of the policy in force, unless it is the last that was appended."""
        write(self.engine, lambda link: freeze(link, version, digest, actor=actor, now=now))

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

        def action(connection: sa.Connection) -> AuditRecord:
            return audit_of(
                append(connection, kind=AUDIT, about=about, actor=actor, now=now, details=details)
            )

        return write(self.engine, action)

    def latest_audit(
        self, model_version: str, bundle_digest: str | None = None
    ) -> AuditRecord | None:
        """Return a version's last audit; None where it has none, or it was of another bundle."""
        with reading(self.engine) as connection:
            entry = latest(connection, kind=AUDIT, about=model_version)
        if entry is None:
            return None
        audit = audit_of(entry)
        return audit if bundle_digest in {None, audit.bundle_digest} else None

    def approve(self, audit: AuditRecord, role: Role, *, person: str, reason: str, now: datetime
    ) -> Approval:  # fmt: skip
        """Append someone's agreement with an audit's report, which must be the version's last.

        Raises
        ------
        ContractError
            Nobody is named, or the reason is no sentence.
        PromotionRefused
            A newer audit was recorded.
        """
        explained(reason)
        about = audit.model_version
        details = {
            "role": role.value,
            "reason": reason.strip(),
            "audit": audit.sequence,
            "report_digest": audit.report_digest,
        }

        def action(connection: sa.Connection) -> Approval:
            _still_latest(connection, audit)
            told = append(
                connection, kind=APPROVAL, about=about, actor=person, now=now, details=details
            )
            return approval_of(told)

        return write(self.engine, action)

    def approvals(self, audit: AuditRecord) -> list[Approval]:
        """Return who approved after reading an audit's report."""
        with reading(self.engine) as connection:
            return approvals_of(connection, audit.model_version, audit.sequence)

    def epoch(self, model: str) -> int:
        """Return how many moves a model has seen."""
        with reading(self.engine) as connection:
            return epoch_of(connection, model)

    def promote(
        self,
        audit: AuditRecord,
        *,
        seen_epoch: int,
        actor: str,
        now: datetime,
        override: Override | None = None,
    ) -> Champion:
        """Make an audited version the champion, if nothing has changed since it was looked at.

        Swap, trail and outbox are one transaction. Only `audits.ledger.gate` calls this; the
        database itself refuses a blocked audit, one without override that is no pass, and one
        approver.

        Raises
        ------
        PromotionRefused
            Another move of the model or another audit of the version came first, or an approval is
            missing.
        """

        def action(connection: sa.Connection) -> Champion:
            _still_latest(connection, audit)
            people = approvers(approvals_of(connection, audit.model_version, audit.sequence))
            if lacking := [role for role in Role if role not in people]:
                raise PromotionRefused(f"{audit.model_version}: no approval as {lacking[0]}")
            champion = new_champion(
                audit, people, override, epoch=seen_epoch + 1, promoted_at=utc(now)
            )
            details = {"audit": audit.sequence}
            return move(connection, champion, kind=PROMOTION, actor=actor, now=now, details=details)

        return write(self.engine, action)

    def roll_back(
        self, model: str, to_epoch: int, *, seen_epoch: int, actor: str, reason: str, now: datetime
    ) -> Champion:
        """Make the champion of an earlier epoch the champion again; `audits.ledger.gate` checks it.

        Raises
        ------
        EvidenceMissing, PromotionRefused
            There was no such epoch; another move came first.
        """
        explained(reason)

        def action(connection: sa.Connection) -> Champion:
            earlier = promoted_at_epoch(connection, model, to_epoch)
            champion = replace(
                earlier, epoch=seen_epoch + 1, promoted_at=datetime.fromisoformat(utc(now))
            )
            details = {"to_epoch": to_epoch, "why": reason.strip()}
            return move(connection, champion, kind=ROLLBACK, actor=actor, now=now, details=details)

        return write(self.engine, action)

    def at_epoch(self, model: str, epoch: int) -> Champion:
        """Return the champion that a model had from an epoch on."""
        with reading(self.engine) as connection:
            return promoted_at_epoch(connection, model, epoch)

    def revoke(self, model: str, *, actor: str, reason: str, now: datetime) -> Champion:
        """Take the champion out of service at once; nothing is served until the next move.

        Raises
        ------
        EvidenceMissing
            There is no champion, or it is revoked already.
        """
        explained(reason)

        def action(connection: sa.Connection) -> Champion:
            serving = current(connection, model)
            if serving is None or serving.revoked is not None:
                raise EvidenceMissing(f"{model!r} has no champion to revoke")
            champion = replace(serving, epoch=serving.epoch + 1, revoked=reason.strip())
            return move(connection, champion, kind=REVOCATION, actor=actor, now=now, details={})

        return write(self.engine, action)

    def revoked_since(self, model_version: str, sequence: int) -> bool:
        """Tell whether a version was revoked after a place in the trail."""
        with reading(self.engine) as connection:
            entry = latest(connection, kind=REVOCATION, about=model_version)
        return entry is not None and entry.sequence > sequence

    def champion(self, model: str | None = None) -> Champion:
        """Return a model's champion, revoked or not; without a model, the one moved last.

        Raises
        ------
        EvidenceMissing
            There is none yet.
        """
        query = sa.select(champion_table).order_by(champion_table.c.sequence.desc()).limit(1)
        if model is not None:
            query = query.where(champion_table.c.model == model)
        with reading(self.engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            of = "" if model is None else f" of {model!r}"
            raise EvidenceMissing(
                f"the ledger has no champion{of}: run `rehabcast promote NAME/N` after its audit"
            )
        return champion_of(dict(row._mapping))

    def trail(self) -> list[Entry]:
        """Return the whole trail, oldest first, each entry checked.

        Raises
        ------
        IntegrityError
            An entry was edited, lost or moved.
        """
        with reading(self.engine) as connection:
            return list(checked(entries(connection)))

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
            An entry was edited, lost or moved, a promotion rests on no audit or approval, or a
            champion is not what the trail says.
        """
        with reading(self.engine) as connection:
            stored = list(checked(entries(connection)))
            rows = connection.execute(sa.select(champion_table)).all()
        check_promotions(stored)
        check_champions(stored, [dict(row._mapping) for row in rows])
        check_anchor(stored, anchor)
        head = stored[-1].hash if stored else ""
        return LedgerState(length=len(stored), head=head)


def _still_latest(connection: sa.Connection, audit: AuditRecord) -> None:
    entry = latest(connection, kind=AUDIT, about=audit.model_version)
    if entry is None or audit_of(entry) != audit:
        raise PromotionRefused(
            f"{audit.model_version}: another audit was recorded meanwhile; look and try again"
        )
